"""A store that misbehaves in every way, behind a node with a cache: ``python -m tests.campaigns.faults``.

Clients read random ranges of cold objects while the relay before the store follows one rule after the other, and
compare every byte. They never get a wrong byte, a hang or a 500; what passes by itself they do not even notice. After
each fault everything is read right at once, and the node has no more descriptors open than before.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.campaigns.cached import MIB, Cached, Crowd, Truth, cached_node, make_objects, require_all_right
from tests.campaigns.report import require, run, say, settled
from tests.faults.link import Shape
from tests.faults.rules import Fault, Rule

_CLIENTS = 8
_OBJECT = 8 * MIB
_OBJECTS = 12
_DEADLINE_SECONDS = 5.0  # of the node with the store: far below what a client takes for a hang
_SLACK = 32  # connections to the store that are kept for a while; a leak would go into the hundreds


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way to misbehave."""

    name: str
    rules: tuple[Rule, ...] = ()
    refuse_seconds: float = 0.0
    is_noticed: bool = True
    """Whether clients may get an error or a short answer; a fault that is rare or short must pass unnoticed."""
    is_replacing: bool = False
    """Whether its end is another change of the objects: answers that were begun may then be cut once more."""


_gets = partial(Rule, method="GET")


TRIALS = (
    Trial(name="no fault", is_noticed=False),
    Trial(name="two resets before the first byte", rules=(_gets(fault=Fault.RESET, at=0, times=2),), is_noticed=False),
    Trial(
        name="a reset in each third body", rules=(_gets(fault=Fault.RESET, at=100_000, fraction=0.3),), is_noticed=False
    ),
    Trial(
        name="a cut in each third body", rules=(_gets(fault=Fault.TRUNCATE, at=50_000, fraction=0.3),), is_noticed=False
    ),
    Trial(name="a few 503", rules=(_gets(fault=Fault.UNAVAILABLE, fraction=0.2),), is_noticed=False),
    Trial(name="a storm of 503", rules=(_gets(fault=Fault.UNAVAILABLE),)),
    Trial(name="resets always", rules=(Rule(fault=Fault.RESET),)),
    Trial(name="cuts always", rules=(_gets(fault=Fault.TRUNCATE, at=200_000),)),
    Trial(name="whole objects to ranges", rules=(_gets(fault=Fault.WHOLE),)),
    Trial(name="replaced amid an object", rules=(Rule(fault=Fault.OTHER_ETAG, skip=20),), is_replacing=True),
    Trial(name="another ETag to who pins", rules=(_gets(fault=Fault.UNPINNED, fraction=0.5),), is_replacing=True),
    Trial(name="endless heads", rules=(_gets(fault=Fault.ENDLESS_HEAD, fraction=0.5),)),
    Trial(name="endless 1xx", rules=(_gets(fault=Fault.ENDLESS_INTERIM, fraction=0.5),)),
    Trial(name="slow drip", rules=(_gets(fault=Fault.DRIP, bytes_per_second=200_000, fraction=0.2),)),
    Trial(name="connections refused", refuse_seconds=2.0),
    Trial(name="hangs", rules=(_gets(fault=Fault.HANG, fraction=0.3),)),
)


def campaign(base: Path, *, seconds: float, seed: int, trials: Sequence[Trial] = TRIALS) -> None:
    """Each trial on a node of its own that begins cold, for its share of the time."""
    chance = random.Random(seed)
    say("seed", seed)
    truths = make_objects(base / "root", _OBJECTS, _OBJECT)
    for number, trial in enumerate(trials):
        place = base / f"trial-{number}"
        place.mkdir()
        link, settings = Shape(delay_seconds=0.001), {"store": {"deadline_seconds": _DEADLINE_SECONDS}}
        with cached_node(place, root=base / "root", shape=link, settings=settings) as cached:
            _try(cached, truths, trial, chance, seconds / len(trials))


def _try(cached: Cached, truths: Sequence[Truth], trial: Trial, chance: random.Random, seconds: float) -> None:
    require_all_right(cached.node.port, truths[:1])
    descriptors = cached.descriptors() + _SLACK
    cached.relay.follow(*trial.rules)
    begin = time.monotonic()
    with Crowd(cached.node.port, truths, clients=_CLIENTS, seed=chance.randrange(2**30)) as crowd:
        if trial.refuse_seconds:
            cached.relay.refuse(trial.refuse_seconds)
        time.sleep(seconds)
    say(trial.name, f"{dict(sorted(crowd.outcomes.counts.items()))} in {time.monotonic() - begin:.1f} s")
    others = {kind: count for kind, count in crowd.outcomes.counts.items() if kind != "right"}
    require(trial.is_noticed or not others, f"{trial.name}: clients met {others}")
    require(set(others) <= {"503", "cut"}, f"{trial.name}: clients met {others}")
    time.sleep(max(0.0, trial.refuse_seconds - seconds))
    cached.relay.follow()
    require_all_right(cached.node.port, truths, attempts=3 if trial.is_replacing else 1)
    now = settled(cached.descriptors, descriptors)
    require(now <= descriptors, f"{trial.name}: {now} descriptors where at most {descriptors} should be open")
    require(b"Traceback" not in cached.node.logs[1].read_bytes(), f"{trial.name}: the node wrote a traceback")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=160)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    return run(lambda base: campaign(base, seconds=given.seconds, seed=given.seed))


if __name__ == "__main__":
    sys.exit(main())
