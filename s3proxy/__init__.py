"""An S3 endpoint that streams between sockets, block caches and the store behind."""

__version__ = "0.1.0"
