"""Which request meets which fault."""

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase

from tests.faults.heads import Head


class Fault(StrEnum):
    """What the relay does to a request or to its answer."""

    RESET = "reset"
    """RST after ``at`` bytes of the body."""
    TRUNCATE = "truncate"
    """FIN after ``at`` bytes of the body."""
    UNAVAILABLE = "unavailable"
    """503 SlowDown, the store asked nothing."""
    WHOLE = "whole"
    """200 with the whole object to a Range."""
    OTHER_ETAG = "other-etag"
    """As if the object had been replaced: ``etag`` in answers, 412 to who pins the former one."""
    UNPINNED = "unpinned"
    """A store that ignores If-Match: ``etag`` in answers whoever pins what."""
    ENDLESS_HEAD = "endless-head"
    ENDLESS_INTERIM = "endless-interim"
    """1xx answers without end."""
    DRIP = "drip"
    """The body at ``bytes_per_second``."""
    HANG = "hang"
    """No answer, the connection stays open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault, and the requests that it is for: those that match, after ``skip`` of them, for ``times`` of them."""

    fault: Fault
    method: str = "*"
    path: str = "*"
    """A pattern of fnmatch for the path as sent, without the query."""
    ranged: bool | None = None
    """Only requests with a Range (or only those without)."""
    skip: int = 0
    times: int | None = None
    fraction: float = 1.0
    """Of the requests that match; decided by a seeded random source."""
    at: int = 0
    bytes_per_second: float = 100.0
    etag: str = '"another-version"'

    def matches(self, request: Head) -> bool:
        """Whether it is for requests like this one."""
        if self.ranged is not None and (request.header(b"range") is not None) is not self.ranged:
            return False
        return fnmatchcase(request.method.decode(), self.method) and fnmatchcase(request.path, self.path)


class Rules:
    """Rules in order; the first that a request meets decides."""

    def __init__(self, rules: Iterable[Rule] = (), *, seed: int = 1) -> None:
        self._rules = tuple(rules)
        self._met = [0] * len(self._rules)
        self._chance = random.Random(seed)

    def choose(self, request: Head) -> Rule | None:
        """The rule that this request meets now, counting it."""
        for index, rule in enumerate(self._rules):
            if rule.matches(request) and self._chance.random() < rule.fraction:
                self._met[index] += 1
                position = self._met[index] - rule.skip
                if position > 0 and (rule.times is None or position <= rule.times):
                    return rule
        return None


def render_rules(rules: Iterable[Rule]) -> str:
    """Rules as JSON."""
    return json.dumps([asdict(rule) for rule in rules])


def parse_rules(text: str | bytes) -> list[Rule]:
    """The inverse of ``render_rules``. Raises ValueError or TypeError on anything else."""
    known = {each.name for each in fields(Rule)}
    rules = []
    for each in json.loads(text):
        if unknown := set(each) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        rules.append(Rule(**{**each, "fault": Fault(each["fault"])}))
    return rules
