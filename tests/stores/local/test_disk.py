import errno
import os
from typing import NoReturn

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.stores.local.disk import Disk
from tests.stores.vocabulary import raises


def full() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_run_gives_what_the_function_returns() -> None:
    assert await Disk().run(lambda: 5) == 5
    assert await Disk().run_long(lambda: "x") == "x"


async def test_run_translates_what_the_file_system_refuses() -> None:
    for run in (Disk().run, Disk().run_long):
        with raises(ErrorCode.SERVICE_UNAVAILABLE):
            await run(full)


async def test_run_lets_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError):
        await Disk().run(lambda: 1 // 0)
