import pytest

from s3proxy.admin.messages import (
    BucketUsage,
    Counter,
    Failed,
    Freed,
    Loaded,
    ObjectPresence,
    Pin,
    PinChanged,
    Progress,
    Refused,
    Result,
    Shown,
    TierUsage,
    TooSmall,
    Verified,
)
from s3proxy.commands import wording

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/b c", "a/b c"),
        ("größe", "größe"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\x7f", "a\\nb\\tc\\x7f"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
    ],
)
def test_printable_cannot_steer_a_terminal(name: str, shown: str) -> None:
    assert wording.printable(name) == shown


def test_progress_tells_rate_and_time_left_of_the_last_seconds() -> None:
    words = wording.ProgressWords("loaded", "objects")
    first = Progress(objects=1, bytes=10 * MIB, fetched_bytes=0, total_objects=4, total_bytes=100 * MIB)
    assert words.tell(first, 100.0) == "loaded 10.0 MiB of 100 MiB, 1 of 4 objects"
    later = Progress(
        objects=2, bytes=30 * MIB, fetched_bytes=20 * MIB, total_objects=4, total_bytes=100 * MIB, is_counted=True
    )
    assert words.tell(later, 102.0) == "loaded 30.0 MiB of 100 MiB, 2 of 4 objects, 10.0 MiB/s, 7 s left"


def test_progress_forgets_what_was_long_ago() -> None:
    words = wording.ProgressWords("verified", "blocks")
    words.tell(Progress(bytes=0), 0.0)
    for second in range(1, 101):
        words.tell(Progress(bytes=1000 * MIB), float(second))
    assert words.tell(Progress(bytes=1000 * MIB), 101.0) == "verified 1,000 MiB, 0 blocks, 0 B/s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7800, "2 h 10 min")]
)
def test_format_duration(seconds: float, text: str) -> None:
    assert wording.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("result", "text", "has_failed"),
    [
        (Shown(), "", False),
        (Shown(objects=2, total_bytes=3, present_bytes=2), "66% of 2 objects: 2 B of 3 B cached", False),
        (
            Loaded(objects=1, bytes=5, fetched_bytes=3, failed=0),
            "1 object loaded, 5 B cached, of which 3 B were fetched now",
            False,
        ),
        (
            Loaded(objects=3, bytes=5, fetched_bytes=3, failed=1),
            "2 objects loaded, 5 B cached, of which 3 B were fetched now; 1 object failed",
            True,
        ),
        (Freed(blocks=1, bytes=5, pinned_blocks=0), "1 block freed, 5 B", False),
        (Freed(blocks=0, bytes=0, pinned_blocks=2), "0 blocks freed, 0 B; 2 pinned blocks kept", False),
        (PinChanged(bucket="b", prefix="p", is_pinned=True, is_changed=True), "s3://b/p: pinned", False),
        (PinChanged(bucket="b", prefix="p", is_pinned=True, is_changed=False), "s3://b/p: was pinned already", False),
        (PinChanged(bucket="b", prefix="", is_pinned=False, is_changed=True), "s3://b/: unpinned", False),
        (PinChanged(bucket="b", prefix="", is_pinned=False, is_changed=False), "s3://b/: had no pin", False),
        (Verified(blocks=2, bytes=5, bad=0), "2 blocks verified, 5 B; all good", False),
        (Verified(blocks=2, bytes=5, bad=1), "2 blocks verified, 5 B; 1 damaged block dropped", True),
        (Refused(reason="no"), "no", True),
    ],
)
def test_tell_result(result: Result, text: str, has_failed: bool) -> None:
    assert wording.tell_result(result) == text
    assert wording.has_failed(result) is has_failed


def test_tell_failure_and_too_small() -> None:
    assert wording.tell_failure(Failed(name="s3://b/\x1b", reason="no\n")) == "failed: s3://b/\\x1b: no\\n"
    assert wording.tell_too_small(TooSmall(size_bytes=MIB, total_bytes=2 * MIB)).startswith(
        "the tiers hold 1.00 MiB, but 2.00 MiB are to be loaded"
    )


def test_tell_presence_stands_below_its_header() -> None:
    cached = {"memory": MIB, "disk": 2 * MIB}
    row = wording.tell_presence(ObjectPresence(key="a/\x07", size=3 * MIB, present_bytes=2 * MIB, cached=cached))
    assert [wording.presence_header(cached), row] == [
        " here       size     memory       disk  key",
        "  66%   3.00 MiB   1.00 MiB   2.00 MiB  a/\\x07",
    ]


def test_tell_caches_is_a_table_of_each_kind() -> None:
    text = wording.tell_caches(
        [
            TierUsage(tier="memory", directory="/shm", size_bytes=4 * MIB, used_bytes=MIB, blocks=1),
            TierUsage(tier="disk", directory="/d", size_bytes=1024 * MIB, used_bytes=0, blocks=0),
        ],
        [Pin(bucket="data", prefix="a/")],
        [BucketUsage(bucket="data", blocks=1, cached={"memory": MIB})],
        [Counter(name="hits", value=1234)],
    )
    assert text.splitlines() == [
        "tier        used        of  full  blocks  directory",
        "memory  1.00 MiB  4.00 MiB   25%       1  /shm",
        "disk         0 B  1.00 GiB    0%       0  /d",
        "",
        "bucket    memory  disk  blocks",
        "data    1.00 MiB   0 B       1",
        "",
        "pinned",
        "s3://data/a/",
        "",
        "counted since the start",
        "hits                     1,234",
    ]


@pytest.mark.parametrize(("part", "whole", "text"), [(0, 0, "100%"), (999, 1000, "99%"), (1000, 1000, "100%")])
def test_percentage_is_100_only_of_all(part: int, whole: int, text: str) -> None:
    assert wording.percentage(part, whole) == text
