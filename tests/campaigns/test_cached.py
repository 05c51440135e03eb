"""The clients of the campaigns that concern the cache: they must see what is wrong. No cache is needed for that."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.campaigns.cached import MIB, Crowd, Truth, make_objects, require_all_right
from tests.campaigns.capacity import allocated_bytes
from tests.campaigns.report import ViolationError
from tests.faults.process import RelayProcess, relay_process
from tests.faults.rules import Fault, Rule
from tests.server import started

_LENGTH = 0.5


@pytest.fixture
def truths(tmp_path: Path) -> list[Truth]:
    return make_objects(tmp_path / "root", 3, MIB + 5)


@pytest.fixture
def relay(tmp_path: Path, truths: list[Truth]) -> Iterator[RelayProcess]:
    with started(tmp_path / "root", tmp_path / "scratch") as store, relay_process(store.port) as relay:
        yield relay


def _crowd(relay: RelayProcess, truths: list[Truth]) -> Crowd:
    return Crowd(relay.port, truths, clients=2, seed=1)


def test_crowd_before_a_sound_store_meets_right_answers_only(relay: RelayProcess, truths: list[Truth]) -> None:
    with _crowd(relay, truths) as crowd:
        time.sleep(_LENGTH)
    assert set(crowd.outcomes.counts) == {"right"}
    require_all_right(relay.port, truths)


def test_crowd_that_is_cut_off_or_refused_counts_that_and_goes_on(relay: RelayProcess, truths: list[Truth]) -> None:
    relay.follow(Rule(fault=Fault.RESET, at=0, fraction=0.3), Rule(fault=Fault.UNAVAILABLE, fraction=0.3))
    with _crowd(relay, truths) as crowd:
        time.sleep(_LENGTH)
    assert set(crowd.outcomes.counts) == {"right", "cut", "503"}


def test_crowd_that_gets_a_wrong_byte_ends_in_a_violation(
    relay: RelayProcess, truths: list[Truth], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    data = bytearray(truths[0].path.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    mistaken = replace(truths[0], path=other)
    with pytest.raises(ViolationError, match="wrong"), _crowd(relay, [mistaken]):
        time.sleep(_LENGTH)
    with pytest.raises(ViolationError, match="wrong"):
        require_all_right(relay.port, [mistaken])


def test_crowd_that_is_paused_asks_nothing(relay: RelayProcess, truths: list[Truth]) -> None:
    with _crowd(relay, truths) as crowd:
        time.sleep(_LENGTH / 2)
        with crowd.paused():
            relay.clear()
            time.sleep(_LENGTH / 2)
            assert relay.tally().requests() == 0
        time.sleep(_LENGTH / 2)
    assert relay.tally().requests() > 0
    assert set(crowd.outcomes.counts) == {"right"}


def test_reader_of_what_is_not_there_meets_its_status(relay: RelayProcess, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere"
    path.write_bytes(b"hello")
    with _crowd(relay, [Truth(target=b"/cached/none", path=path, size=5)]) as crowd:
        time.sleep(_LENGTH)
    assert set(crowd.outcomes.counts) == {"404"}


def test_allocated_bytes_are_those_of_files_at_any_depth_without_holes(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with (tmp_path / "a" / "b" / "sparse").open("wb") as file:
        file.truncate(MIB)
        file.write(bytes(100))
    assert 0 < allocated_bytes(tmp_path) < MIB // 2
    assert allocated_bytes(tmp_path / "none") == 0
