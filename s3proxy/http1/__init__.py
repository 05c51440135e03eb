"""HTTP/1.1 as messages and sockets; knows nothing of S3."""
