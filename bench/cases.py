"""A case is one piece of work of one size: what to make ready, which targets can do it, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.dataset import Dataset
from bench.measure import Usage
from bench.requests import Endpoint
from bench.samples import Metrics
from bench.targets import MEMORY_SIZE, Data, Server, Target
from bench.understore import Link, UnderStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how hard."""

    seconds: float = 3.0
    warm_seconds: float = 1.0
    rounds: int = 3
    connections: int | None = None
    """In place of each case's own number."""
    keys: int = 100_000
    slow_seconds: float = 30.0
    under_store: str = "s3proxy"
    """One of ``bench.understore.UNDER_STORES``: what stands behind the caches."""
    server_cores: frozenset[int]
    load_cores: frozenset[int]

    @property
    def all_cores(self) -> frozenset[int]:
        """What the bench may use in all."""
        return self.server_cores | self.load_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run: its settings, its files, a directory for what servers leave, and what stands behind caches."""

    settings: Settings
    dataset: Dataset
    scratch: Path
    under_store: UnderStore
    kept: Path | None = None
    """Where files may stay for other runs, which are costly to make and the same in each."""

    def seen_by(self, target: Target) -> "Session":
        """The session with the objects that this target has: those that all share, or its own."""
        if target.data is Data.SHARED:
            return self
        return replace(self, dataset=self.dataset.apart(target.name, lasts=target.data is Data.OWN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one turn gave. ``usage`` is None where the load generator cannot be the limit."""

    metrics: Metrics
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table, for each of its targets."""

    workload: str
    name: str
    targets: tuple[str, ...]
    """Those for which the case means something, the baseline last."""
    prepare: Callable[[Session, Endpoint | None], None]
    """Called once, with a server that speaks S3 if there is one among the targets that share the files; and with each
    server that keeps its objects itself, at the start of its turns."""
    measure: Callable[[Session, Server], Outcome]
    """Called with a server just started: warms, checks, and measures it."""
    link: Link | None = None
    """How the under-store is reached; None for targets that serve the files themselves."""
    memory_size: int = MEMORY_SIZE
    """What each cache may keep in memory."""
    is_pinned: bool = True
    """Server and load on cores of their own; otherwise they and the under-store share all."""
    once: bool = False
    """One turn is enough: the case takes long, and its figures do not scatter."""
