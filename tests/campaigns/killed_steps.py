"""Workers that end at every step of what they do to the tiers: ``python -m tests.campaigns.killed_steps``.

A step is the instant before each call that other workers can notice, see ``tests.cache.killing``. At each one the
worker is killed, killed while others read, stopped until they have read, or overtaken by them. They must always get
the right bytes in time, whatever they find; and the tier must be whole, and known to be as large as it is, afterwards.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.cache.dying import SCENARIOS
from tests.cache.killing import worker_process
from tests.cache.surviving import MANNERS, Trial
from tests.campaigns.report import ViolationError, run, say

_TMPFS = Path("/dev/shm")


def campaign(base: Path, *, every: int, seed: int, names: Iterable[str] = SCENARIOS) -> None:
    """Scenarios, on tmpfs and on a disk, at one of so many steps."""
    chance = random.Random(seed)
    say("seed", seed)
    with worker_process() as workers:
        for place, bases in {"tmpfs": (_TMPFS, base), "disk": (base,)}.items():
            for name in names:
                _end_everywhere(Trial(workers=workers, name=name, bases=bases), place, every, chance)


def _end_everywhere(trial: Trial, place: str, every: int, chance: random.Random) -> None:
    begun = time.monotonic()
    names = trial.steps()
    trials = 0
    drifts = [0]
    for manner in MANNERS:
        for step in range(1 + chance.randrange(min(every, len(names))), len(names) + 1, every):
            try:
                drifts.append(trial.end_at(step, manner))
            except Exception as error:
                raise ViolationError(
                    f"{trial.name} on {place}, {manner} at {step}, {names[step - 1]}: {error!r}"
                ) from error
            trials += 1
    took = f"{trials} trials at {len(names)} steps, usage wrong by {min(drifts)} to {max(drifts)} bytes"
    say(f"{trial.name} on {place}", took, f"({time.monotonic() - begun:.0f} s)")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take one of so many steps")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    return run(lambda base: campaign(base, every=given.every, seed=given.seed))


if __name__ == "__main__":
    sys.exit(main())
