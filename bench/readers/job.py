"""What one client is to do, how it is told and tells, and when two answers are the same."""

import filecmp
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.requests import BUCKET, Endpoint

Answer = object
"""Anything made of lists or tuples, numbers, texts and dates; or the path of a file, which stands for what is in it."""

_TOLERANCE = 1e-9  # sums of floats come out in any order


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of work over the objects below ``<bucket>/<prefix>``."""

    reader: str
    task: str
    part: int = 0
    """Which of several shares, or of several variants of the task."""
    prefix: str
    directory: str
    """Where files are that hold what the objects hold, by the same names."""
    scratch: str
    """A directory in memory for what the client writes."""
    endpoint: str
    """``host:port``, and the path that every path begins with where there is one."""
    access_key: str
    secret_key: str
    region: str
    bucket: str = BUCKET

    @property
    def url(self) -> str:
        """Of the server."""
        return f"http://{self.endpoint}"

    @property
    def source(self) -> Path:
        """``directory``."""
        return Path(self.directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The work, ready to be done."""

    read: Callable[[], Answer]
    """Over S3: this is timed."""
    expected: Callable[[], Answer]
    """The same over files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """When a client began and ended, on the clock that all processes share, and what it computed meanwhile."""

    begin: float
    end: float
    cpu_seconds: float


def login(endpoint: Endpoint, user: str) -> dict[str, str]:
    """The fields of a job that say who asks whom; ``user`` is the access key where nobody checks one."""
    keys = endpoint.credentials
    return {
        "endpoint": f"{endpoint.authority}{endpoint.base}",
        "access_key": keys.access_key if keys else user,
        "secret_key": keys.secret_key if keys else "unchecked",
        "region": keys.region if keys else "us-east-1",
    }


def render_job(job: Job) -> str:
    """A job as one argument."""
    return json.dumps(asdict(job))


def parse_job(text: str) -> Job:
    """The inverse of ``render_job``."""
    return Job(**json.loads(text))


def render_report(report: Report) -> str:
    """A report as one line."""
    return json.dumps(asdict(report))


def parse_report(text: str) -> Report:
    """The inverse of ``render_report``."""
    return Report(**json.loads(text))


def agree(found: Answer, expected: Answer) -> bool:
    """Whether two answers are the same, but for the rounding of floats."""
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=_TOLERANCE)
    if isinstance(found, Path) and isinstance(expected, Path):
        return filecmp.cmp(found, expected, shallow=False)
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(agree, found, expected))
    return found == expected
