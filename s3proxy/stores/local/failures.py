"""What an error of the file system means to the client; the one place where the two are put side by side."""

import errno

from s3proxy.s3.errors import ErrorCode, S3Error

_ANSWERS = {
    # S3 has no code for a full disk. 503 makes a client try again, which is right: space may be freed.
    errno.ENOSPC: (ErrorCode.SERVICE_UNAVAILABLE, "The store has no space left."),
    errno.EDQUOT: (ErrorCode.SERVICE_UNAVAILABLE, "The store's quota is used up."),
    errno.EFBIG: (ErrorCode.INVALID_REQUEST, "The file system cannot hold an object of this size."),
    errno.EACCES: (ErrorCode.ACCESS_DENIED, "The file system does not permit this."),
    errno.EPERM: (ErrorCode.ACCESS_DENIED, "The file system does not permit this."),
    errno.EROFS: (ErrorCode.ACCESS_DENIED, "The store is read-only."),
    errno.EMFILE: (ErrorCode.SLOW_DOWN, None),
    errno.ENFILE: (ErrorCode.SLOW_DOWN, None),
    errno.ENOMEM: (ErrorCode.SLOW_DOWN, None),
    # Only a program that makes names of the escaped form, see keys.py, gets in the way of a key for good.
    errno.EISDIR: (ErrorCode.INVALID_REQUEST, "A directory stands where the file system would keep this key."),
    errno.ENAMETOOLONG: (ErrorCode.KEY_TOO_LONG_ERROR, None),
    errno.EXDEV: (ErrorCode.INTERNAL_ERROR, "The bucket lies on another file system than the root of the store."),
}


def s3_error_of(error: OSError) -> S3Error:
    """Translate what the file system refused; paths stay out of the message, and the cause goes in the chain."""
    code, message = _ANSWERS.get(error.errno or 0, (ErrorCode.INTERNAL_ERROR, None))
    return S3Error(code, message)
