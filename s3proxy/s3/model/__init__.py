"""The vocabulary of S3: identifiers, stored values, operations and their results, as AWS names them.

ETags are held without their quotes. Times are integer nanoseconds since the epoch. Ranges are half-open. Checksums are
base64 as on the wire.
"""

# ruff: noqa: F403 (one vocabulary in three files: what each defines is part of it)

from s3proxy.s3.model.operations import *
from s3proxy.s3.model.results import *
from s3proxy.s3.model.values import *
