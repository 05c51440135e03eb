import os
import subprocess
import sys
from pathlib import Path

import pytest

from s3proxy.cache.blocks import Geometry
from s3proxy.cache.failures import CacheIOError, TierInUseError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier_directory import (
    BLOCKS,
    TEMPORARIES,
    evicting,
    prepare_directory,
    remove_put_aside,
    remove_temporaries,
)
from tests.cache.making import GEOMETRY, block_id, open_tier, put


def prepared(directory: Path, geometry: Geometry = GEOMETRY) -> None:
    os.close(prepare_directory(directory, geometry))


def test_directory_is_made_for_the_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "tier"
    prepared(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in directory.iterdir()} == {"blocks", "tmp", "format", "lock"}


def test_directory_has_one_user_until_all_who_inherited_it_end(tmp_path: Path) -> None:
    lock_fd = prepare_directory(tmp_path, GEOMETRY)
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock_fd]) as worker:
        os.close(lock_fd)
        with pytest.raises(TierInUseError):
            prepare_directory(tmp_path, GEOMETRY)
        worker.kill()
    prepared(tmp_path)


def test_blocks_of_the_same_format_stay(tmp_path: Path, shared: SharedWords) -> None:
    prepared(tmp_path)
    put(open_tier(tmp_path, shared), block_id())
    prepared(tmp_path)
    assert (tmp_path / BLOCKS / block_id().name).exists()


def test_blocks_of_another_geometry_are_put_aside_and_removed_later(tmp_path: Path, shared: SharedWords) -> None:
    prepared(tmp_path)
    put(open_tier(tmp_path, shared), block_id())
    prepared(tmp_path, Geometry())
    assert not list((tmp_path / BLOCKS).iterdir())
    assert open_tier(tmp_path, shared).usage.used_bytes() > block_id().length
    remove_put_aside(tmp_path)
    assert not list((tmp_path / TEMPORARIES).iterdir())


def test_temporaries_of_the_dead_are_removed_and_young_ones_only_at_the_start(tmp_path: Path) -> None:
    prepared(tmp_path)
    temporary = tmp_path / TEMPORARIES / "x"
    temporary.touch()
    remove_temporaries(tmp_path)
    assert temporary.exists()
    os.utime(temporary, (0, 0))
    remove_temporaries(tmp_path)
    assert not temporary.exists()
    temporary.touch()
    prepared(tmp_path)
    assert not temporary.exists()


def test_directory_that_cannot_be_made_is_a_cache_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for function in (lambda path: prepare_directory(path, GEOMETRY), remove_temporaries, remove_put_aside):
        with pytest.raises(CacheIOError):
            function(tmp_path / "file" / "tier")


def test_one_at_a_time_evicts_and_who_waits_comes_next(tmp_path: Path) -> None:
    prepared(tmp_path)
    with evicting(tmp_path) as first, evicting(tmp_path) as second:
        assert (first, second) == (True, False)
    with evicting(tmp_path, is_waiting=True) as third:
        assert third
    with pytest.raises(CacheIOError), evicting(tmp_path / "none"):
        pass
