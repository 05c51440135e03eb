import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from s3proxy.admin.kept_points import KeptPoints

NAMES = ("requests", "hit_ratio")


@pytest.fixture
def fd() -> Iterator[int]:
    fd = os.memfd_create("points")
    yield fd
    os.close(fd)


def points(fd: int | None = None, *, names: tuple[str, ...] = NAMES, count: int = 4) -> KeptPoints:
    return KeptPoints(names, count, 5, fd)


def test_points_are_given_in_the_order_of_time_with_what_is_missing() -> None:
    with closing(points()) as kept:
        kept.put(110, [2, 0.5])
        kept.put(105.25, [1, None])
        assert kept.all(112) == [(105.25, [1, None]), (110, [2, 0.5])]


def test_point_takes_the_place_of_the_one_that_is_as_old_as_all() -> None:
    with closing(points()) as kept:
        for at in (100, 105, 110, 115, 120):
            kept.put(at, [at, None])
        assert [at for at, _ in kept.all(120)] == [105, 110, 115, 120]


def test_points_older_than_all_are_not_given_although_nothing_took_their_place() -> None:
    with closing(points()) as kept:
        kept.put(100, [1, 1])
        kept.put(115, [2, 2])
        assert [at for at, _ in kept.all(120)] == [115]


def test_points_from_before_the_clock_was_set_back_are_not_given() -> None:
    with closing(points()) as kept:
        kept.put(1000, [1, 1])
        kept.put(105, [2, 2])
        assert [at for at, _ in kept.all(106)] == [105]


def test_points_stay_for_the_next_process(fd: int) -> None:
    with closing(points(fd)) as kept:
        kept.put(105, [1, None])
    with closing(points(fd)) as kept:
        assert kept.all(106) == [(105, [1, None])]


def test_process_with_other_numbers_begins_anew_and_the_one_before_it_ends(fd: int) -> None:
    with closing(points(fd)) as old, closing(points(fd, names=("requests",), count=400)) as new:
        old.put(105, [1, None])
        assert old.all(106) == []
        assert new.all(106) == []
        new.put(105, [7])
        assert new.all(106) == [(105, [7])]
