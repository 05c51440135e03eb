"""Workers that are killed, stopped or overtaken at steps of what they do to the tiers: a sample of all steps.

``python -m tests.campaigns.killed_steps`` takes every step.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache.dying import SCENARIOS
from tests.cache.killing import NOTICED_BY_NOBODY, Workers, calls_of_the_cache, worker_process
from tests.cache.surviving import MANNERS, Manner, Trial

_TMPFS = Path("/dev/shm")
_STEPS: dict[Manner, int] = {"killed": 5, "killed while others read": 2, "overtaken": 2, "stopped": 1}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with worker_process() as process:
        yield process


@pytest.fixture(params=["tmpfs", "disk"])
def bases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, ...]:
    """Where tiers are: the first on tmpfs and the second on a disk, or all on a disk."""
    return (_TMPFS, tmp_path) if request.param == "tmpfs" else (tmp_path,)


@pytest.mark.parametrize("name", SCENARIOS)
def test_worker_that_ends_at_any_step_costs_nobody_a_byte(name: str, bases: tuple[Path, ...], workers: Workers) -> None:
    trial = Trial(workers=workers, name=name, bases=bases)
    steps = range(1, len(trial.steps()) + 1)
    chance = random.Random(name)
    for manner in MANNERS:
        for step in chance.sample(steps, min(_STEPS[manner], len(steps))):
            trial.end_at(step, manner)


@pytest.mark.parametrize("manner", MANNERS)
def test_maker_of_a_block_that_ends_at_any_step_costs_nobody_a_byte(manner: Manner, workers: Workers) -> None:
    trial = Trial(workers=workers, name="a fill of a fragment", bases=(_TMPFS,))
    for step in range(1, len(trial.steps()) + 1):
        trial.end_at(step, manner)


def test_every_call_of_the_cache_that_others_can_notice_is_a_step_of_some_scenario(
    workers: Workers, tmp_path: Path
) -> None:
    taken: set[str] = set()
    for name in SCENARIOS:
        taken.update(Trial(workers=workers, name=name, bases=(_TMPFS, tmp_path)).steps())
    assert calls_of_the_cache() >= NOTICED_BY_NOBODY
    assert calls_of_the_cache() - NOTICED_BY_NOBODY <= taken
