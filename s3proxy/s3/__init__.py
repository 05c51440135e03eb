"""S3 as values and text: operations, errors, requests, responses, signatures, checksums. No I/O."""
