import errno

import pytest

from s3proxy.cache.failures import CacheIOError, TierFullError, failure_of


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, TierFullError),
        (errno.EDQUOT, TierFullError),
        (errno.EIO, CacheIOError),
        (errno.EROFS, CacheIOError),
    ],
)
def test_error_of_the_file_system_becomes_one_of_the_cache(number: int, kind: type[CacheIOError]) -> None:
    failure = failure_of(OSError(number, "reason"), "writing")
    assert type(failure) is kind
    assert str(failure) == f"writing: [Errno {number}] reason"
