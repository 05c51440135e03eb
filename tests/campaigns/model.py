"""The model of tests/model on many more random histories: ``python -m tests.campaigns.model``."""

import argparse
import random
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.campaigns.report import run, say
from tests.model.machine import SharedBucketMachine
from tests.server import started

_BATCH = 20


def campaign(base: Path, *, seconds: float) -> None:
    """Run histories until the time is over; the first disagreement is shrunk, printed and raised."""
    limits = settings(
        max_examples=_BATCH,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    deadline = time.monotonic() + seconds
    batches = 0
    with started(base / "root", base / "scratch", settings={"store": {"min_part_size": 0}}) as server:
        while time.monotonic() < deadline:
            machine = seeded(random.getrandbits(64))(type("Machine", (SharedBucketMachine,), {"server": server}))
            run_state_machine_as_test(machine, settings=limits)
            batches += 1
        say("histories of up to 50 steps, all in agreement", _BATCH * batches)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    given = parser.parse_args()
    return run(lambda base: campaign(base, seconds=given.seconds))


if __name__ == "__main__":
    sys.exit(main())
