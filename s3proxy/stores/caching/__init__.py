"""A cache in front of any object store."""
