"""A store over a directory that file-system programs share."""
