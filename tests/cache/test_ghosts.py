import os
from pathlib import Path

import pytest

from s3proxy.cache.ghosts import Ghosts

KIB = 1024
MIB = 1024 * KIB


def made(directory: Path, reach: int = 10 * MIB) -> Ghosts:
    return Ghosts(directory, tier_bytes=100 * MIB, reach_bytes=reach)


def test_name_that_was_added_is_there_for_every_process_until_as_much_else_has_gone(tmp_path: Path) -> None:
    ghosts, others = made(tmp_path), made(tmp_path)
    assert not others.has("name")
    ghosts.add("name", MIB)
    assert others.has("name")
    assert not others.has("another")
    for number in range(10):
        ghosts.add(f"other {number}", MIB)
    assert others.has("name")
    ghosts.add("one more", 1)
    assert not others.has("name")
    assert others.has("other 0")


def test_name_that_is_added_again_counts_from_then(tmp_path: Path) -> None:
    ghosts = made(tmp_path)
    for _ in range(30):
        ghosts.add("name", MIB)
        assert ghosts.has("name")


def test_most_of_many_names_are_remembered_and_the_file_stays_small(tmp_path: Path) -> None:
    ghosts = made(tmp_path)
    for number in range(5000):
        ghosts.add(str(number), KIB)
    assert sum(ghosts.has(str(number)) for number in range(4800, 5000)) > 150
    assert not any(ghosts.has(str(number)) for number in range(5000, 6000))
    assert (tmp_path / "ghosts").stat().st_size <= 8 * 1025


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(os.urandom(100))], ids=["lost", "cut"])
def test_file_that_is_damaged_is_no_failure(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "ghosts")
    ghosts = made(tmp_path)
    ghosts.add("name", MIB)
    assert ghosts.has("name") == (tmp_path / "ghosts").is_file()


def test_directory_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    ghosts = made(tmp_path / "nowhere")
    ghosts.add("name", MIB)
    assert not ghosts.has("name")
