"""A few seconds of each campaign, so that the suite notices when one is broken, or finds something at once."""

from pathlib import Path

from tests.campaigns import (
    capacity,
    connections,
    disconnects,
    faults,
    fuzz,
    kill9,
    killed_steps,
    listing,
    memory,
    reloads,
    tampering,
)
from tests.campaigns.cached import MIB


def test_nothing_is_lost_when_the_server_is_killed_amid_writes(tmp_path: Path) -> None:
    kill9.campaign(tmp_path, rounds=3, requests=200, seconds=15, seed=1, fsync=False)


def test_slow_clients_take_little_memory(tmp_path: Path) -> None:
    memory.campaign(tmp_path, readers=100, writers=50, seconds=2)


def test_large_directory_is_listed_whole_while_it_changes(tmp_path: Path) -> None:
    listing.campaign(tmp_path, flat=20_000, walked=0, pages=20)


def test_damaged_requests_are_answered_and_leave_nothing_open(tmp_path: Path) -> None:
    # Ceph CVE-2019-19337, CVE-2019-10222, CVE-2020-1700, CVE-2019-3821.
    fuzz.campaign(tmp_path, seconds=6, seed=1, least=1000)


def test_clients_that_go_away_leave_nothing_open(tmp_path: Path) -> None:
    # Ceph CVE-2019-3821 (descriptors of half-open connections), CVE-2020-1700 (of disconnected clients).
    disconnects.campaign(tmp_path, connections=600, steps=24)


def test_damaged_blocks_full_tiers_and_killed_workers_give_no_wrong_byte(tmp_path: Path) -> None:
    tampering.campaign(tmp_path, seconds=8, seed=1)


def test_workers_that_end_amid_what_they_do_to_a_tier_cost_nobody_a_byte(tmp_path: Path) -> None:
    killed_steps.campaign(tmp_path, every=12, seed=1, names=["a fill of a fragment", "an eviction"])


def test_store_that_resets_refuses_and_lies_is_read_right_or_not_at_all(tmp_path: Path) -> None:
    chosen = {"a reset in each third body", "a few 503", "whole objects to ranges"}
    trials = [trial for trial in faults.TRIALS if trial.name in chosen]
    assert len(trials) == len(chosen)
    faults.campaign(tmp_path, seconds=3, seed=1, trials=trials)


def test_tiers_keep_their_sizes_while_much_more_is_read(tmp_path: Path) -> None:
    capacity.campaign(tmp_path, workers=2, memory=16 * MIB, disk=64 * MIB, total=512 * MIB)


def test_reloads_under_load_fail_no_request(tmp_path: Path) -> None:
    reloads.campaign(tmp_path, reloads=2, clients=6, seed=1)


def test_idle_connections_take_little_memory_and_none_is_refused_below_the_limit(tmp_path: Path) -> None:
    connections.campaign(tmp_path, idle=1500, busy=60, seconds=1, limit=60)
