"""What is done to block files."""

import random
from pathlib import Path

import pytest

from tests.campaigns import tampering
from tests.campaigns.tampering import Tamper

_MIB = 2**20


@pytest.fixture
def block(tmp_path: Path) -> Path:
    path = tmp_path / "one"
    path.write_bytes(bytes(_MIB))
    return path


@pytest.mark.parametrize("seed", range(5))
def test_flipped_block_has_its_size_and_a_few_other_bits(block: Path, seed: int) -> None:
    tampering.flip(block, (), random.Random(seed))
    data = block.read_bytes()
    assert len(data) == _MIB
    assert 1 <= int.from_bytes(data, "little").bit_count() <= 8


@pytest.mark.parametrize(("tamper", "is_shorter"), [(tampering.truncate, True), (tampering.extend, False)])
def test_block_of_another_size(tamper: Tamper, is_shorter: bool, block: Path) -> None:
    tamper(block, (), random.Random(1))
    assert (block.stat().st_size < _MIB) is is_shorter
    assert block.stat().st_size != _MIB


@pytest.mark.parametrize("tamper", [tampering.swap, tampering.replace])
def test_replaced_block_is_another_file_and_who_has_the_former_open_keeps_it(tamper: Tamper, block: Path) -> None:
    other = block.with_name("other")
    other.write_bytes(b"other")
    with block.open("rb") as former:
        tamper(block, [other], random.Random(1))
        assert former.read() == bytes(_MIB)
    assert block.read_bytes() != bytes(_MIB)
    assert sorted(path.name for path in block.parent.iterdir()) == ["one", "other"]


def test_deleted_block_is_gone(block: Path) -> None:
    tampering.delete(block, (), random.Random(1))
    assert not block.exists()


def test_blocks_are_found_by_their_names_at_any_depth(tmp_path: Path) -> None:
    names = ["ab/" + "0" * 32 + ".1f", "0" * 32 + ".0", "0" * 32 + ".0.tampered", "metadata", "ab/lock"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = {str(path.relative_to(tmp_path)) for path in tampering.blocks_below(tmp_path)}
    assert found == set(names[:2])
