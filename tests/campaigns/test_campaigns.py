"""A few seconds of each campaign, so that the suite notices when one is broken, or finds something at once."""

from pathlib import Path

from tests.campaigns import disconnects, fuzz, kill9, listing, memory


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
