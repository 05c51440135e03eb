"""Windows of sorted names: complete, bounded, found again, and never older than the directory."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.stores.local import windows
from s3proxy.stores.local.windows import LongDirectory, Scan, Window, Windows

NAMES = [f"{number:04d}" for number in range(300)]
SETTLED = 0.03  # seconds after which a change cannot share its clock tick with another


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).touch()
    time.sleep(SETTLED)
    return tmp_path


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that a directory was read."""
    counted: list[int] = []

    class CountedScan(Scan):
        def names(self, *, only_escaped: bool = False) -> Iterator[str]:
            counted.append(1)
            return super().names(only_escaped=only_escaped)

    monkeypatch.setattr(windows, "Scan", CountedScan)
    return counted


def load(kept: Windows, path: Path, lower: str = "") -> Window:
    fd = os.open(path, os.O_RDONLY)
    try:
        return kept.load(fd, lower)
    finally:
        os.close(fd)


def names(window: Window) -> list[str]:
    return list(window.names_from(""))


def test_load_sorts_files_and_directories_as_their_keys_sort(tmp_path: Path) -> None:
    for name in ("b", "a!x", "a0", ".%fa", ".%f..", "é"):
        (tmp_path / name).touch()
    for name in ("a", ".%", ".%d.", ".%l" + "L" * 240):
        (tmp_path / name).mkdir()
    time.sleep(SETTLED)
    window = load(Windows(), tmp_path)
    assert list(window.names_from("")) == ["..", "./", "/", "a", "a!x", "a/", "a0", "b", "é"]
    assert window.long_directories == (LongDirectory("L" * 240),)
    assert list(window.names_from("a!")) == ["a!x", "a/", "a0", "b", "é"]
    assert list(window.names_from("L")) == ["a", "a!x", "a/", "a0", "b", "é"]


def test_load_hides_what_is_no_key(tmp_path: Path) -> None:
    for name in ("caf\udce9", ".%dx", ".%fx%41", ".%x"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("caf\udce9")
    (tmp_path / ".%fdirectory").mkdir()
    (tmp_path / ".%lbad%41").mkdir()
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / ".%ffifo")
    assert names(load(Windows(), tmp_path)) == []


def test_load_again_reads_nothing(directory: Path, scans: list[int]) -> None:
    kept = Windows()
    first = load(kept, directory)
    assert load(kept, directory, "0200") is first
    assert list(first.names_from("0200")) == NAMES[200:]
    assert len(scans) == 1


@pytest.mark.parametrize("change", ["create", "unlink", "rename", "replace"])
def test_load_after_a_change_reads_again(directory: Path, scans: list[int], change: str) -> None:
    kept = Windows()
    load(kept, directory)
    expected = list(NAMES)
    if change == "create":
        (directory / "new").touch()
        expected = [*NAMES, "new"]
    elif change == "unlink":
        (directory / "0000").unlink()
        expected = NAMES[1:]
    elif change == "rename":
        (directory / "0000").rename(directory / "new")
        expected = [*NAMES[1:], "new"]
    else:
        (directory / "0000").rename(directory / "0001")
        expected = NAMES[1:]
    assert names(load(kept, directory)) == expected
    assert len(scans) == 2


def test_load_after_a_change_that_hides_its_time_reads_again(directory: Path) -> None:
    kept = Windows()
    load(kept, directory)
    before = directory.stat()
    (directory / "new").touch()
    os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "new" in names(load(kept, directory))


def test_load_of_a_directory_that_changed_just_now_is_not_kept(
    directory: Path, scans: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another change in the same clock tick would leave the same times, as with git's index.
    monkeypatch.setattr(time, "time_ns", lambda: directory.stat().st_mtime_ns + 1_000_000)
    kept = Windows()
    load(kept, directory)
    load(kept, directory)
    assert len(scans) == 2


def test_load_of_a_small_directory_is_read_each_time(tmp_path: Path, scans: list[int]) -> None:
    (tmp_path / "a").touch()
    time.sleep(SETTLED)
    kept = Windows()
    load(kept, tmp_path)
    load(kept, tmp_path)
    assert len(scans) == 2


@given(
    names=st.sets(
        st.text(st.sampled_from("ab/.é"), min_size=1, max_size=4).filter(lambda name: "/" not in name[:-1]), max_size=40
    ),
    long_directories=st.sets(st.text(st.sampled_from("abé"), min_size=1, max_size=3).map(LongDirectory), max_size=4),
    max_bytes=st.integers(100, 2000),
    batch=st.integers(1, 10),
)
def test_windows_one_after_another_hold_every_name_once(
    names: set[str], long_directories: set[LongDirectory], max_bytes: int, batch: int
) -> None:
    everything = [*names, *long_directories]
    found: list[str] = []
    met: set[str] = set()
    lower: str | None = ""
    while lower is not None:
        selection = windows._Selection(lower, max_bytes, batch)
        selection.take(iter(everything))
        window = selection.window()
        assert window.start == lower
        assert window.stop is None or window.stop > lower
        assert all(window.holds(name) for name in window.names_from(lower))
        expected = {
            c for c in long_directories if (c >= lower or lower.startswith(c)) and (not window.stop or c < window.stop)
        }
        assert set(window.long_directories_from(lower)) == expected
        found += window.names_from(lower)
        met |= set(window.long_directories)
        lower = window.stop
    assert found == sorted(names)
    assert met == long_directories


def test_load_of_a_huge_directory_takes_bounded_memory(directory: Path) -> None:
    kept = Windows(window_bytes=800, batch=10)
    lower: str | None = ""
    found: list[str] = []
    while lower is not None:
        window = load(kept, directory, lower)
        assert window.size <= 800
        found += window.names_from(lower)
        lower = window.stop
    assert found == NAMES


def test_load_by_two_walks_through_a_huge_directory_keeps_both_windows(
    directory: Path, scans: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_SMALLEST_KEPT", 1)
    kept = Windows(window_bytes=800, batch=10)
    for step in range(0, 20, 2):
        load(kept, directory, f"{step:04d}")
        load(kept, directory, f"{200 + step:04d}")
    assert len(scans) == 2


def test_load_of_a_window_that_covers_another_takes_its_place(directory: Path) -> None:
    kept = Windows(window_bytes=2000)
    load(kept, directory, "0280")
    larger = load(kept, directory, "0100")
    assert names(larger) == NAMES[100:]
    assert kept._kept.currsize == larger.size


def test_load_from_anywhere_in_a_directory_that_fits_is_of_all_of_it(directory: Path, scans: list[int]) -> None:
    kept = Windows()
    assert load(kept, directory, "0200") is load(kept, directory, "0100")
    assert len(scans) == 1


def test_all_windows_together_take_bounded_memory(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        for name in NAMES:
            (tmp_path / str(number) / name).touch()
    time.sleep(SETTLED)
    kept = Windows(kept_bytes=6000)
    for number in range(4):
        assert load(kept, tmp_path / str(number)).size > 2000
    assert 2000 < kept._kept.currsize <= 6000


def test_a_window_larger_than_all_that_may_be_kept_is_read_each_time(directory: Path, scans: list[int]) -> None:
    kept = Windows(kept_bytes=1000)
    assert names(load(kept, directory)) == names(load(kept, directory)) == NAMES
    assert len(scans) == 2


def test_load_by_many_threads_reads_once(directory: Path, scans: list[int]) -> None:
    kept = Windows()
    found: list[Window] = []
    threads = [threading.Thread(target=lambda: found.append(load(kept, directory))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scans) == 1
    assert all(window is found[0] for window in found)
