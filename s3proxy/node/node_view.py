"""What the admin plane shows of a node, from what its processes share: an ``admin.routes.Node``."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Final, TypeVar

import trio

import s3proxy
from s3proxy.admin.answers import Json
from s3proxy.admin.history import History, Sample
from s3proxy.admin.kept_points import KeptPoints
from s3proxy.admin.node_status import About, NodeState, StoreState, TierState, WorkerState, sample_of
from s3proxy.admin.readiness import DEADLINE_SECONDS, StoreProbe, reason_against
from s3proxy.admin.reload_progress import progress_on
from s3proxy.admin.survey import Contents, survey
from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.counters import Counter
from s3proxy.cache.tier import Tier
from s3proxy.config import Config
from s3proxy.metrics.activity import merged
from s3proxy.metrics.exposition import CONTENT_TYPE, NodeUse, TierUse, exposition
from s3proxy.metrics.processes import birth_of, use_of
from s3proxy.node.absences import Absence
from s3proxy.node.commons import Seat
from s3proxy.node.names import Names
from s3proxy.node.stores import Stores, UnderStore
from s3proxy.s3.model import Bucket
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.routes import Outage

_PROBED: Final = Bucket(f"s3proxy-{secrets.token_hex(16)}")
"""A bucket that is not there, which is the shortest answer a store can give, and that nobody can make in time."""

_SURVEY_SECONDS: Final = 30.0
"""For which what was found in the tiers is kept."""

_SURVEY_DEADLINE_SECONDS: Final = 4.0
"""For looking into a tier, whose disk may hang."""

_T = TypeVar("_T")


class NodeView:
    """A node as one of its processes sees it.

    Args:
        config: of the node.
        seat: of this process.
        stores: of this process.
        names: of what is cached.
        points: of the history.
    """

    def __init__(self, config: Config, seat: Seat, stores: Stores, names: Names, points: KeptPoints) -> None:
        self._seat = seat
        self._names = names
        self._about = _about(config, seat)
        self._tiers: Sequence[Tier] = () if stores.cache is None else stores.cache.tiers
        self._sizes = _sizes(config)
        self._stores = [(under, StoreProbe(partial(_ask, under))) for under in stores.under_stores()]
        self._contents: dict[str, Contents] = {}
        self._absent = {**seat.absent, **stores.absent_tiers}
        self._surveyed_at = -_SURVEY_SECONDS
        self._surveying = trio.Lock()
        self._threads = {tier.name: trio.CapacityLimiter(1) for tier in self._tiers}
        self.history = History(self._sample, points)

    async def run(self) -> None:
        """Watch the stores and keep the history, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.history.run)
            for _, probe in self._stores:
                nursery.start_soon(probe.run)

    async def wait_known(self) -> None:
        """Return when it is known whether the default store can be reached, or that it hangs."""
        with trio.move_on_after(DEADLINE_SECONDS):
            await self._stores[0][1].has_asked.wait()

    def reason_against(self) -> str:
        """Why the node should get no requests; empty when it should."""
        return reason_against(
            is_draining=self._seat.is_draining,
            missing_workers=[number for number, pid in self._serving().items() if pid is None],
            default_store=self._stores[0][1].health,
        )

    def reload_progress(self) -> Json:
        """How a reload goes."""
        return asdict(progress_on(self._seat.progress))

    async def state(self) -> NodeState:
        """All that is known."""
        async with self._surveying:
            if trio.current_time() - self._surveyed_at >= _SURVEY_SECONDS:
                await self._survey()
        return await _in_thread(self._state)

    async def metrics(self) -> tuple[bytes, bytes]:
        """For Prometheus."""
        return await _in_thread(self._metrics), CONTENT_TYPE.encode()

    async def _survey(self) -> None:
        """Look through the tiers; one that hangs does not work."""
        async with trio.open_nursery() as nursery:
            for tier in self._tiers:
                nursery.start_soon(self._survey_one, tier)
        self._surveyed_at = trio.current_time()

    async def _survey_one(self, tier: Tier) -> None:
        look = partial(survey, tier, tier.usage.used_bytes(), self._bucket_of)
        with trio.move_on_after(_SURVEY_DEADLINE_SECONDS) as waiting:
            self._contents[tier.name] = await _in_thread(look, self._threads[tier.name])
        if waiting.cancelled_caught:
            self._contents[tier.name] = replace(self._contents.get(tier.name, Contents()), is_working=False)
        if self._contents[tier.name].is_working:
            self._absent.pop(tier.name, None)
        elif tier.name not in self._absent:
            hangs = f"it did not answer within {_SURVEY_DEADLINE_SECONDS:.0f} s"
            self._absent[tier.name] = Absence(hangs if waiting.cancelled_caught else "it cannot be read")

    # In threads

    def _state(self) -> NodeState:
        return NodeState(
            about=self._about,
            reason=self.reason_against(),
            workers=[_worker(number, pid) for number, pid in self._serving().items()],
            losses=self._losses(),
            reading=self._seat.meters.read(),
            cache_counts=self._cache_counts(),
            tiers=self._tier_states(),
            stores=[_store(under, probe) for under, probe in self._stores],
            activity=merged(self._seat.reports.read_all()),
        )

    def _metrics(self) -> bytes:
        workers = {str(number): pid for number, pid in self._serving().items() if pid is not None}
        pids = {"supervisor": os.getppid(), "admin": os.getpid(), **workers}
        uses = {name: use_of(pid) for name, pid in pids.items()}
        healths = {under.name: probe.health for under, probe in self._stores}
        tiers = {
            tier.name: TierUse(
                used_bytes=tier.used_bytes,
                size_bytes=tier.size_bytes,
                is_working=tier.is_working,
                down_since=tier.down_since,
            )
            for tier in self._tier_states()
        }
        use = NodeUse(
            version=self._about.version,
            started_at=self._about.started_at,
            is_ready=not self.reason_against(),
            connection_limit=self._about.connection_limit,
            reading=self._seat.meters.read(),
            cache_counts=self._cache_counts(),
            tiers=tiers,
            stores={name: health.is_reachable for name, health in healths.items() if health.checked_at is not None},
            losses=self._losses(),
            processes={name: use for name, use in uses.items() if use is not None},
        )
        return exposition(use)

    # Anywhere

    def _sample(self) -> Sample:
        return sample_of(self._seat.meters.read(), self._cache_counts(), self._tier_states())

    def _serving(self) -> dict[int, int | None]:
        """The process of each worker; None of one that is missing."""
        serving = self._seat.pulse.serving()
        return {number: serving[number] for number in range(self._seat.workers)}

    def _losses(self) -> dict[str, int]:
        return {loss.name.lower(): count for loss, count in self._seat.pulse.losses().items()}

    def _cache_counts(self) -> dict[str, int]:
        return {each.name.lower(): self._seat.shared.total(each) for each in Counter} if self._tiers else {}

    def _tier_states(self) -> list[TierState]:
        opened = {tier.name: tier for tier in self._tiers}
        return [self._tier_state(name, opened.get(name)) for name in self._sizes]

    def _tier_state(self, name: str, tier: Tier | None) -> TierState:
        absence = self._absent.get(name)
        reason, since = ("", None) if absence is None else (absence.reason, absence.since)
        if tier is None:
            return TierState(
                name=name,
                used_bytes=0,
                size_bytes=self._sizes[name],
                is_working=False,
                reason=reason,
                down_since=since,
            )
        found = self._contents.get(name)
        used_bytes = tier.usage.used_bytes()
        return TierState(
            name=name,
            used_bytes=used_bytes,
            size_bytes=tier.usage.size_bytes,
            blocks=None if found is None else found.blocks,
            is_working=found is None or found.is_working,
            reason=reason,
            down_since=since,
            buckets=() if found is None else _within(found.buckets, used_bytes),
        )

    def _bucket_of(self, version: ObjectVersion) -> str:
        return self._names.of_version(version)[0]


async def _in_thread(work: Callable[[], _T], limiter: trio.CapacityLimiter | None = None) -> _T:
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)


async def _ask(under: UnderStore) -> None:
    if isinstance(under.store, Outage):
        raise StoreUnavailableError(under.store.reason)
    await under.store.get_bucket(_PROBED)


def _within(buckets: Sequence[tuple[str, int]], used_bytes: int) -> Sequence[tuple[str, int]]:
    """The parts of buckets, which were looked at a while ago, of what is used now."""
    total = sum(size for _, size in buckets)
    return buckets if total <= used_bytes else [(bucket, size * used_bytes // total) for bucket, size in buckets]


def _sizes(config: Config) -> dict[str, int]:
    """Of the tiers that are configured."""
    memory, disk = config.memory_tier, config.disk_tier
    sizes = {"memory": memory.size if memory.directory else 0, "disk": disk.size if disk.directory else 0}
    return {name: size for name, size in sizes.items() if size}


def _store(under: UnderStore, probe: StoreProbe) -> StoreState:
    config = under.config
    endpoint = config.root if config.kind == "local" else config.endpoint or f"AWS {config.region}"
    return StoreState(name=under.name, kind=config.kind, endpoint=endpoint, health=probe.health)


def _worker(number: int, pid: int | None) -> WorkerState:
    use = None if pid is None else use_of(pid)
    if use is None:
        return WorkerState(number=number, pid=pid, is_ready=False)
    return WorkerState(
        number=number,
        pid=pid,
        is_ready=True,
        rss_bytes=use.rss_bytes,
        cpu_seconds=use.cpu_seconds,
        descriptors=use.descriptors,
    )


def _about(config: Config, seat: Seat) -> About:
    return About(
        version=s3proxy.__version__,
        host=socket.gethostname(),
        started_at=_began_at(os.getppid()),
        listen=seat.addresses,
        connection_limit=config.server.max_connections * seat.workers,
    )


def _began_at(pid: int) -> float:
    """When a process began, in seconds since 1970; now when it has ended."""
    now, since_boot = time.time_ns() / 1e9, time.clock_gettime(time.CLOCK_BOOTTIME)
    birth = birth_of(pid)
    return now if birth is None else round(now - since_boot + birth / os.sysconf("SC_CLK_TCK"), 2)
