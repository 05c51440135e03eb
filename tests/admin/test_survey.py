from collections.abc import Iterator
from hashlib import sha256

import pytest

from s3proxy.admin import survey as surveying
from s3proxy.admin.survey import Contents, survey
from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.policy import Entry

GEOMETRY = Geometry()
MIB = 2**20


class FakeTier:
    """Has blocks of so many bytes each, by their buckets."""

    def __init__(self, **counts: int) -> None:
        self._buckets = {
            sha256(f"{bucket} {number}".encode()).hexdigest(): bucket
            for bucket, count in counts.items()
            for number in range(count)
        }
        self.is_broken = False
        self.headers = 0

    def scan(self) -> Iterator[Entry]:
        if self.is_broken:
            raise CacheIOError("no such directory")
        for name in self._buckets:
            yield Entry(name, MIB, 0)

    def identify(self, name: str) -> BlockId | None:
        self.headers += 1
        version = ObjectVersion(store="s", bucket=self._buckets[name], key="k", token="t", size=MIB)
        return BlockId(version, 0, GEOMETRY)


def bucket_of(version: ObjectVersion) -> str:
    return f"{version.bucket}!"


def test_survey_divides_what_is_used_among_the_buckets() -> None:
    found = survey(FakeTier(a=30, b=10), 80 * MIB, bucket_of)
    assert found == Contents(blocks=40, buckets=[("a!", 60 * MIB), ("b!", 20 * MIB)])


def test_survey_of_an_empty_tier_finds_nothing() -> None:
    assert survey(FakeTier(), 4096, bucket_of) == Contents(blocks=0, buckets=[])


def test_survey_reads_a_bounded_number_of_headers_of_many_blocks() -> None:
    tier = FakeTier(a=30_000, b=10_000)
    found = survey(tier, 40_000 * MIB, bucket_of)
    assert tier.headers == 2_000
    assert found.blocks == 40_000
    shares = {bucket: size / (40_000 * MIB) for bucket, size in found.buckets}
    assert shares["a!"] == pytest.approx(0.75, abs=0.05)


def test_survey_estimates_how_many_blocks_there_are_where_it_cannot_name_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying, "_MOST_NAMES", 100)
    assert survey(FakeTier(a=1_000), 1_000 * MIB, bucket_of).blocks == 1_000


def test_survey_gives_up_a_disk_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying, "_READING_SECONDS", 0)
    tier = FakeTier(a=100)
    assert survey(tier, 100 * MIB, bucket_of).buckets == [("a!", 100 * MIB)]
    assert tier.headers < 100


def test_survey_of_a_tier_that_cannot_be_read_says_that_it_does_not_work() -> None:
    tier = FakeTier(a=1)
    tier.is_broken = True
    assert survey(tier, MIB, bucket_of) == Contents(is_working=False)
