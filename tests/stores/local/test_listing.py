"""Pages of keys: exact order, exact ends, any prefix, delimiter and marker, whatever others do meanwhile."""

import contextlib
import dataclasses
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3.model import Key, ListedObject, ListPage, ListQuery
from s3proxy.stores.local import keys, listing, windows
from tests.stores.local.bucket import BucketDirectory, allowed_keys, describe, open_descriptors


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[BucketDirectory]:
    made = BucketDirectory(tmp_path)
    before = open_descriptors()
    yield made
    assert open_descriptors() == before
    made.close()


def entries_of(page: ListPage) -> list[str]:
    return sorted([*(entry.key for entry in page.objects), *(f"{prefix}*" for prefix in page.common_prefixes)])


def walked(bucket: BucketDirectory, query: ListQuery) -> Iterator[ListPage]:
    """Every page of a listing."""
    while True:
        page = bucket.page(query)
        yield page
        if not page.is_truncated:
            return
        query = dataclasses.replace(query, after=page.next_after, after_is_prefix=page.next_is_prefix)


# Order, prefixes, delimiters


def test_list_page_sorts_full_keys_by_their_bytes(bucket: BucketDirectory) -> None:
    ordered = ["!", ".", "..", "/", "a", "a!x", "a/", "a/b", "a/b/c", "a0", "b", "b\0", "é", "\ue000", "😀"]
    for key in random.Random(1).sample(ordered, len(ordered)):
        bucket.put(key)
    assert bucket.listed() == ordered == sorted(ordered, key=str.encode)


def test_list_page_of_data_beside_its_directory_loses_nothing_at_page_ends(bucket: BucketDirectory) -> None:
    ordered = ["data", "data.csv", "data/1", "data/2", "data0"]
    for key in ordered:
        bucket.put(key)
    assert [entry.key for page in walked(bucket, ListQuery(max_keys=3)) for entry in page.objects] == ordered
    pages = list(walked(bucket, ListQuery(max_keys=3, delimiter="/")))
    assert [entries_of(page) for page in pages] == [["data", "data.csv", "data/*"], ["data0"]]


@pytest.mark.parametrize("length", [239, 240, 241, 254, 255, 256, 480, 481, 500])
def test_list_page_puts_long_segments_between_their_neighbours(bucket: BucketDirectory, length: int) -> None:
    name = "L" * length
    ordered = sorted(
        {"L" * 238, "L" * 240, "L" * 240 + "!", name, name + "!", name + "/x", name + "0", "L" * 240 + "M"}
    )
    for key in ordered:
        bucket.put(key)
    assert bucket.listed() == ordered
    assert [entry.key for page in walked(bucket, ListQuery(max_keys=3)) for entry in page.objects] == ordered
    for after in ordered:
        assert [e.key for e in bucket.page(ListQuery(after=after)).objects] == [key for key in ordered if key > after]


@pytest.mark.parametrize("window_bytes", [400, 700, 1500])
def test_list_page_merges_long_segments_window_by_window(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch, window_bytes: int
) -> None:
    monkeypatch.setattr(listing, "_windows", windows.Windows(window_bytes=window_bytes, batch=2))
    chunk = "L" * 240
    ordered = sorted([*(f"{chunk}{letter}" for letter in "acegi"), *(f"{chunk}{letter * 20}" for letter in "bdfhj")])
    for key in ordered:
        bucket.put(key)
    assert bucket.listed() == ordered


@pytest.mark.parametrize(
    ("delimiter", "prefix", "expected"),
    [
        ("/", "", ["a", "a!x", "a/*", "b/*", "c"]),
        ("/", "a/", ["a/", "a/b", "a/b/*"]),
        ("/", "a", ["a", "a!x", "a/*"]),
        ("/", "a/b", ["a/b", "a/b/*"]),
        ("b", "", ["a", "a!x", "a/", "a/b*", "b*", "c"]),
        ("/b/", "", ["a", "a!x", "a/", "a/b", "a/b/*", "b//b/*", "b/b/*", "c"]),
        ("b/", "b", ["b//b/*", "b/b/*"]),
        ("", "b/", ["b//b/y", "b/b/z"]),
        ("/", "none", []),
        ("/", "c/", []),
    ],
)
def test_list_page_groups_by_any_delimiter(
    bucket: BucketDirectory, delimiter: str, prefix: str, expected: list[str]
) -> None:
    for key in ("a", "a!x", "a/", "a/b", "a/b/x", "b//b/y", "b/b/z", "c"):
        bucket.put(key)
    page = bucket.page(ListQuery(delimiter=delimiter, prefix=prefix))
    assert entries_of(page) == sorted(expected)


def test_list_page_shows_no_common_prefix_without_a_key(bucket: BucketDirectory) -> None:
    (bucket.path / "empty" / "deep").mkdir(parents=True)
    (bucket.path / "hidden" / ".%dx").mkdir(parents=True)
    (bucket.path / "hidden" / ".%dx" / "file").touch()
    (bucket.path / "links").mkdir()
    (bucket.path / "links" / "a").symlink_to("/etc/passwd")
    bucket.put("real/deep/x")
    assert entries_of(bucket.page(ListQuery(delimiter="/"))) == ["real/*"]


def test_list_page_after_a_key_within_a_common_prefix_shows_it_only_with_what_follows(bucket: BucketDirectory) -> None:
    bucket.put("a/b")
    bucket.put("a/c")
    assert entries_of(bucket.page(ListQuery(delimiter="/", after="a/b"))) == ["a/*"]
    assert entries_of(bucket.page(ListQuery(delimiter="/", after="a/c"))) == []
    assert entries_of(bucket.page(ListQuery(delimiter="/", after="a/", after_is_prefix=True))) == []


def test_list_page_ends_exactly(bucket: BucketDirectory) -> None:
    for key in ("a", "b", "c/1", "c/2"):
        bucket.put(key)
    assert bucket.page(ListQuery(max_keys=0)) == ListPage(objects=(), common_prefixes=(), is_truncated=False)
    assert not bucket.page(ListQuery(max_keys=4)).is_truncated
    page = bucket.page(ListQuery(max_keys=3, delimiter="/"))
    assert (entries_of(page), page.is_truncated) == (["a", "b", "c/*"], False)
    page = bucket.page(ListQuery(max_keys=2, delimiter="/"))
    assert (page.is_truncated, page.next_after, page.next_is_prefix) == (True, "b", False)
    (bucket.path / "d").mkdir()  # nothing that could be listed
    assert not bucket.page(ListQuery(max_keys=4)).is_truncated


def test_list_page_truncated_at_a_common_prefix_goes_on_behind_it(bucket: BucketDirectory) -> None:
    for key in ("a/1", "a/2", "b"):
        bucket.put(key)
    page = bucket.page(ListQuery(max_keys=1, delimiter="/"))
    assert (page.common_prefixes, page.next_after, page.next_is_prefix) == (("a/",), "a/", True)
    page = bucket.page(ListQuery(max_keys=1, delimiter="/", after="a/", after_is_prefix=True))
    assert entries_of(page) == ["b"]


def test_list_page_shows_no_key_that_is_too_long_for_s3(bucket: BucketDirectory) -> None:
    deep = "/".join(["d" * 100] * 10)
    (bucket.path / deep).mkdir(parents=True)
    (bucket.path / deep / ("x" * (1024 - len(deep) - 1))).touch()
    (bucket.path / deep / ("y" * (1025 - len(deep) - 1))).touch()
    (bucket.path / deep / "too" / "deep").mkdir(parents=True)
    (bucket.path / deep / "too" / "deep" / "file").touch()
    assert [len(key) for key in bucket.listed()] == [1023, 1024]  # the first is .../too/deep/file


def test_list_page_of_a_directory_that_may_not_be_read_says_so(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("s3proxy.stores.local.syscalls.open_beneath", deny)
    with pytest.raises(PermissionError):
        bucket.listed()


def test_list_page_follows_no_symbolic_link(bucket: BucketDirectory, tmp_path: Path) -> None:
    # gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    (bucket.path / "link").symlink_to(tmp_path / "outside")
    (bucket.path / (".%l" + "L" * 240)).symlink_to(tmp_path / "outside")
    bucket.put("a")
    assert bucket.listed() == ["a"]
    for prefix in ("link/", "../outside/", "../", "L" * 250, "/"):
        assert entries_of(bucket.page(ListQuery(prefix=prefix))) == []


def test_list_page_walks_any_depth_with_few_descriptors(bucket: BucketDirectory) -> None:
    key = "d/" * 500 + "x"
    bucket.put(key)
    most = 0

    def counting(found: Key, dir_fd: int, name: str) -> ListedObject | None:
        nonlocal most
        most = open_descriptors()
        return describe(found, dir_fd, name)

    before = open_descriptors()
    page = listing.list_page(bucket.fd, ListQuery(), counting)
    assert [entry.key for entry in page.objects] == [key]
    assert most <= before + 2


# What a page costs


@pytest.fixture
def read_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that were read, below the bucket."""
    paths: list[str] = []
    real = os.scandir

    def scandir(fd: int) -> object:
        paths.append(os.readlink(f"/proc/self/fd/{fd}").partition("/bucket")[2])
        return real(fd)

    monkeypatch.setattr(os, "scandir", scandir)
    return paths


def test_list_page_of_a_prefix_reads_only_its_directory(bucket: BucketDirectory, read_paths: list[str]) -> None:
    for key in ("w/1", "x/a/1", "x/y/1", "x/y/2", "z/1"):
        bucket.put(key)
    bucket.page(ListQuery(prefix="x/y/"))
    assert set(read_paths) == {"/x/y"}


def test_list_page_after_a_marker_reads_nothing_before_it(bucket: BucketDirectory, read_paths: list[str]) -> None:
    for key in ("a/1", "b/1", "c/1", "d/1", "e/1"):
        bucket.put(key)
    bucket.page(ListQuery(after="c/0", max_keys=1))
    assert set(read_paths) == {"", "/c", "/d"}  # and one more to know whether it is the last page


def test_list_page_looks_behind_a_common_prefix_only_for_one_key(
    bucket: BucketDirectory, read_paths: list[str]
) -> None:
    for key in ("a/1/x", "a/2/x", "a/3/x", "b"):
        bucket.put(key)
    bucket.page(ListQuery(delimiter="/"))
    assert len([path for path in read_paths if path.startswith("/a/")]) == 1


def test_list_page_asks_once_for_each_key(bucket: BucketDirectory) -> None:
    for number in range(10):
        bucket.put(f"{number}")
    asked: list[str] = []

    def asking(key: Key, dir_fd: int, name: str) -> ListedObject | None:
        asked.append(name)
        return describe(key, dir_fd, name)

    listing.list_page(bucket.fd, ListQuery(max_keys=5), asking)
    assert asked == ["0", "1", "2", "3", "4", "5"]


# The model


def expected_page(existing: set[str], query: ListQuery) -> tuple[list[str], bool]:
    """What S3 says of a sorted set of keys."""
    entries: list[str] = []
    for key in sorted(existing, key=str.encode):
        is_before = key <= query.after or (query.after_is_prefix and key.startswith(query.after))
        if not key.startswith(query.prefix) or (query.after and is_before):
            continue
        found = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
        entry = key if found < 0 else f"{key[: found + len(query.delimiter)]}*"
        if found < 0 or entry not in entries[-1:]:
            entries.append(entry)
    return entries[: query.max_keys], 0 < query.max_keys < len(entries)


_few_keys = st.one_of(
    st.lists(st.sampled_from(["a", "b", "", "a!", "..", ".%fa", "L" * 240, "L" * 300]), min_size=1, max_size=3)
    .map("/".join)
    .filter(bool),
    allowed_keys,
)
_steps = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "remove", "write", "unlink", "mkdir"]), _few_keys), max_size=12
)
_fragments = st.one_of(
    st.sampled_from(["", "a", "a/", "b/", "/", "a!", "..", "L", "L" * 240, "L" * 270, "\U0010ffff"]), _few_keys
)
_queries = st.builds(
    ListQuery,
    prefix=_fragments,
    delimiter=st.sampled_from(["", "/", "/", "a", "//", "/a", "L" * 20, "!", "\0", ".%"]),
    after=_fragments,
    after_is_prefix=st.booleans(),
    max_keys=st.sampled_from([0, 1, 2, 3, 1000]),
)


def apply(bucket: BucketDirectory, existing: set[str], step: str, key: str) -> None:
    """Change the bucket, through the store or the file system, and the model of it."""
    path = bucket.path / (keys.plain_path(Key(key)) or keys.escaped_path(Key(key)))
    if step == "put":
        bucket.put(key)
        existing.add(key)
    elif step == "remove":
        assert bucket.remove(key) == (key in existing)
        existing.discard(key)
    else:
        with contextlib.suppress(OSError):
            if step == "unlink":
                path.unlink()
                existing.discard(key)
            elif step == "mkdir":
                (bucket.path / (keys.plain_path(Key(key)) or "other")).mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(key.encode())
                existing.add(key)
        if bucket.get(key) is not None:  # a second place came to light
            existing.add(key)


@given(steps=_steps, queries=st.lists(_queries, min_size=1, max_size=4), window_bytes=st.sampled_from([40, 200, 10**6]))
@settings(max_examples=80, deadline=None)
def test_list_page_agrees_with_a_sorted_set_of_keys(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]], queries: list[ListQuery], window_bytes: int
) -> None:
    bucket = BucketDirectory(tmp_path_factory.mktemp("model") / "root")
    existing: set[str] = set()
    for step, key in steps:
        apply(bucket, existing, step, key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "_windows", windows.Windows(window_bytes=window_bytes, batch=3))
        for query in queries:
            page = bucket.page(query)
            assert (entries_of(page), page.is_truncated) == (
                sorted(expected_page(existing, query)[0]),
                expected_page(existing, query)[1],
            )
        whole = ListQuery(prefix=queries[0].prefix, delimiter=queries[0].delimiter)
        paged = [entry for page in walked(bucket, dataclasses.replace(whole, max_keys=3)) for entry in entries_of(page)]
        assert sorted(paged) == sorted(expected_page(existing, whole)[0])
    assert all(bucket.get(key) is not None for key in existing)
    bucket.close()


# While others write


def test_list_page_finds_a_key_that_moved_after_its_directory_was_read(bucket: BucketDirectory) -> None:
    for key in ("a", "b", "c"):
        bucket.put(key)

    def moving(key: Key, dir_fd: int, name: str) -> ListedObject | None:
        if key == "a":
            bucket.put("b/below")
        return describe(key, dir_fd, name)

    assert [entry.key for entry in listing.list_page(bucket.fd, ListQuery(), moving).objects] == ["a", "b", "c"]


def test_list_page_leaves_out_a_key_that_vanished_after_its_directory_was_read(bucket: BucketDirectory) -> None:
    for key in ("a", "b", "c", "d/x", "e/x"):
        bucket.put(key)

    def removing(key: Key, dir_fd: int, name: str) -> ListedObject | None:
        if key == "a":
            bucket.remove("b")
            bucket.remove("d/x")
        return describe(key, dir_fd, name)

    page = listing.list_page(bucket.fd, ListQuery(max_keys=4), removing)
    assert [entry.key for entry in page.objects] == ["a", "c", "e/x"]
    assert not page.is_truncated


@pytest.mark.parametrize("name", ["a", "L" * 255])
def test_list_page_finds_a_key_that_moves_while_its_directory_is_read(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bucket.put(name)
    bucket.put("other")
    real = os.scandir
    moves = iter([1])

    @contextlib.contextmanager
    def scandir(fd: int) -> Iterator[Iterator[os.DirEntry[str]]]:
        """Read where the second place will be before the key moves, and the plain place after."""
        with real(fd) as entries:
            before = [entry for entry in entries if entry.name != name]
        for _ in moves:
            bucket.put(f"{name}/below")
        with real(fd) as entries:
            after = list(entries)
        seen = {entry.name for entry in before}
        yield iter([*before, *(entry for entry in after if entry.name == name and entry.name not in seen)])

    def scandir_once(fd: int) -> contextlib.AbstractContextManager[Iterator[os.DirEntry[str]]]:
        monkeypatch.setattr(os, "scandir", real)
        return scandir(fd)

    monkeypatch.setattr(os, "scandir", scandir_once)
    assert bucket.listed() == sorted([name, f"{name}/below", "other"])


def test_walks_beside_a_writer_neither_miss_nor_repeat_what_exists(
    bucket: BucketDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_windows", windows.Windows(window_bytes=200, batch=16))
    stable = {f"{directory}{number}" for directory in ("", "d/", "d/e/") for number in range(40)}
    for key in stable:
        bucket.put(key)
    stop = threading.Event()
    failures: list[str] = []

    def write() -> None:
        choices = random.Random(7)
        while not stop.is_set():
            key = choices.choice(sorted(stable))
            below = f"{key}/{choices.randrange(3)}"
            bucket.put(choices.choice([below, f"{key}!", f"new/{key}"]))
            bucket.remove(choices.choice([below, f"{key}!", f"new/{key}"]))
            bucket.put(below)
            bucket.put(key)
            bucket.remove(below)

    def walk() -> None:
        for delimiter in ("", "e"):
            query = ListQuery(delimiter=delimiter, max_keys=17)
            found = [entry.key for page in walked(bucket, query) for entry in page.objects]
            if found != sorted(set(found)):
                failures.append("repeated or out of order")
            missed = {key for key in stable if not delimiter or "e" not in key} - set(found)
            failures.extend(missed)

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline and not failures:
        walk()
    stop.set()
    writer.join()
    assert failures == []


def test_a_listing_after_a_write_shows_it_although_windows_are_kept(bucket: BucketDirectory) -> None:
    for number in range(200):
        (bucket.path / f"{number:04d}").touch()
    time.sleep(0.03)
    assert len(bucket.listed()) == 200
    bucket.put("0100x")
    assert len(bucket.listed()) == 201
    bucket.remove("0100x")
    assert len(bucket.listed()) == 200


def test_holds_key_below_a_prefix(bucket: BucketDirectory) -> None:
    bucket.put("a/b/c/d")
    (bucket.path / "a" / "empty").mkdir()
    assert listing.holds_key(bucket.fd)
    assert listing.holds_key(bucket.fd, "a/b/")
    assert not listing.holds_key(bucket.fd, "a/empty/")
    assert not listing.holds_key(bucket.fd, "none/")
