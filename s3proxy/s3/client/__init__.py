"""S3 from the other side: requests to a store behind this one, and what its answers mean. Values and text, no I/O.

The inverse of ``s3.requests`` and ``s3.responses``. Rule: an answer comes from a server that nobody here controls. What
is not exactly what was asked for is a ``MalformedAnswerError``, never a guess (rclone CVE-2026-71310).
"""
