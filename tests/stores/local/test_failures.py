import errno
import os

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.stores.local.failures import s3_error_of


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, ErrorCode.SERVICE_UNAVAILABLE),
        (errno.EDQUOT, ErrorCode.SERVICE_UNAVAILABLE),
        (errno.EACCES, ErrorCode.ACCESS_DENIED),
        (errno.EROFS, ErrorCode.ACCESS_DENIED),
        (errno.EMFILE, ErrorCode.SLOW_DOWN),
        (errno.EISDIR, ErrorCode.INVALID_REQUEST),
        (errno.ENAMETOOLONG, ErrorCode.KEY_TOO_LONG_ERROR),
        (errno.EXDEV, ErrorCode.INTERNAL_ERROR),
        (errno.EIO, ErrorCode.INTERNAL_ERROR),
    ],
)
def test_errno_becomes_a_code_and_keeps_the_path_to_itself(number: int, code: ErrorCode) -> None:
    error = s3_error_of(OSError(number, os.strerror(number), "/secret/path"))
    assert error.code is code
    assert "secret" not in str(error)
