from pathlib import Path

import pytest

from s3proxy.body import Digests
from s3proxy.s3.errors import ErrorCode
from s3proxy.stores.local.disk import Disk
from s3proxy.stores.local.layout import open_layout
from s3proxy.stores.local.receiving import Receiver
from s3proxy.stores.local.staging import Staging, Temporary
from tests.stores.bodies import body_of
from tests.stores.local.leftovers import temporaries
from tests.stores.vocabulary import raises

SIZES = (100, 200_000)  # received whole, and piece by piece


@pytest.fixture
def receiver(root: Path) -> Receiver:
    return Receiver(Disk(), Staging(open_layout(root, read_only=False).hidden["tmp"], sync=False))


@pytest.mark.parametrize("size", SIZES)
async def test_receive_gives_the_finished_file_and_its_digests(receiver: Receiver, root: Path, size: int) -> None:
    def finish(temporary: Temporary, digests: Digests) -> tuple[int, int]:
        return temporary.size, len(digests.md5_hex)

    assert await receiver.receive(body_of(b"x" * size), finish) == (size, 32)
    assert temporaries(root) == []


@pytest.mark.parametrize("size", SIZES)
async def test_receive_of_a_wrong_digest_finishes_nothing(receiver: Receiver, root: Path, size: int) -> None:
    def finish(temporary: Temporary, digests: Digests) -> None:
        raise AssertionError("published")

    with raises(ErrorCode.BAD_DIGEST):
        await receiver.receive(body_of(b"x" * size, md5=bytes(16)), finish)
    assert temporaries(root) == []
