"""All stores of one worker, put together from the configuration: opened, cached where that pays, mounted."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Literal, Self

import trio

from s3proxy.config import DEFAULT_STORE, Config, MountConfig, StoreConfig
from s3proxy.node.absences import Absence, look_for
from s3proxy.node.caching import NodeCache, can_open_tier
from s3proxy.node.commons import Seat, directory_of, geometry_of
from s3proxy.node.failures import StartError
from s3proxy.node.file_systems import is_on_network
from s3proxy.stores.base import ObjectStore
from s3proxy.stores.caching.store import CachingStore, Settings
from s3proxy.stores.caching.writing import CacheThrough
from s3proxy.stores.fairness import FairLimiter
from s3proxy.stores.local.layout import RootError, open_layout
from s3proxy.stores.local.store import LocalStore
from s3proxy.stores.mounts import Mounts
from s3proxy.stores.routes import Mount, Outage, Routes
from s3proxy.telemetry import log_error

Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a mount reads and writes."""

    read: Literal["cache", "through"]
    write: Literal["through", "cache-through"]
    metadata_ttl_seconds: float


@dataclass(slots=True, kw_only=True)
class UnderStore:
    """A store as it is, and in the manners in which mounts use it."""

    name: str
    config: StoreConfig
    store: ObjectStore | Outage
    is_worth_caching: bool
    is_cached: bool
    """Some mount reads it through the cache, so that every write must be told."""
    in_manner: dict[_Manner, ObjectStore] = field(default_factory=dict)


class Stores:
    """The stores of one worker; ``store`` is all of them as one.

    *Closes:* ``aclose``, after the last operation. ``jobs`` run for as long as the worker does.
    """

    def __init__(self, config: Config, seat: Seat, nursery: trio.Nursery) -> None:
        self.jobs: list[Job] = []
        self._duties: list[Job] = []
        self._config = config
        self._seat = seat
        self._nursery = nursery
        self._resources = AsyncExitStack()
        self.cache: NodeCache | None = None
        self._under: dict[str, UnderStore] = {}
        self._cached_mounts: set[str] = set()
        self.store: ObjectStore
        self.routes: Routes

    @classmethod
    async def open(cls, config: Config, seat: Seat, nursery: trio.Nursery) -> Self:
        """Open everything that the configuration names.

        Args:
            config: of the node.
            seat: of this worker.
            nursery: where fills run; it must end before ``aclose`` is called.

        Raises:
            StartError: the default store cannot be opened, or a store is configured wrongly. Another one that is
                not there only makes its own buckets unavailable.
        """
        stores = cls(config, seat, nursery)
        try:
            stores._open_all()
        except BaseException:
            await stores.aclose()
            raise
        return stores

    async def aclose(self) -> None:
        """Close the cache and every store."""
        await self._resources.aclose()

    def identity_of(self, store_name: str) -> str:
        """By what a store's blocks and pins are found: its name in the configuration and its address.

        Another store that is given the same name does not find them. Nor does one of the same address under another
        name: with other credentials Ceph shows another tenant's buckets, whose names may be the same.
        """
        config = self._under[store_name].config
        return f"{store_name} {config.root if config.kind == 'local' else config.endpoint or config.region}"

    def under_stores(self) -> Sequence[UnderStore]:
        """All of them, the default one first."""
        return list(self._under.values())

    def is_cached(self, mount: Mount) -> bool:
        """Whether what is read by way of a mount is kept."""
        return mount.bucket in self._cached_mounts

    def limiter_of(self, config: StoreConfig) -> FairLimiter:
        """Bounds this worker's part of what a store is asked at once."""
        return FairLimiter(ceil((config.max_requests or self._config.limits.max_store_requests) / self._seat.workers))

    def _open_all(self) -> None:
        config = self._config
        mounts = [*config.mount, MountConfig(bucket="*", read_only=False)]
        self._under[DEFAULT_STORE] = self._open_under(DEFAULT_STORE, config.store, mounts)
        for named in config.stores:
            self._under[named.name] = self._open_under(named.name, named, mounts)
        if any(under.is_cached for under in self._under.values()):
            self._open_cache()
        if self._duties:
            self.jobs.append(self._do_duties)
        if self.absent_tiers or any(isinstance(under.store, Outage) for under in self._under.values()):
            self.jobs.append(self._look_for_absent)
        mounted = [self._mount(mount) for mount in mounts]
        only = mounted[-1]
        self.routes = Routes(mounted[:-1], only)
        if len(mounted) == 1 and not only.is_read_only and isinstance(only.store, ObjectStore):
            self.store = only.store  # nothing to choose between
        else:
            self.store = Mounts(self.routes)

    # What was absent

    @property
    def absent_tiers(self) -> Mapping[str, Absence]:
        """The tiers that this process could not open."""
        return {} if self.cache is None else self.cache.absent

    async def _look_for_absent(self) -> None:
        async def say() -> None:
            self._seat.say_outgrown()

        await look_for(self._is_anything_found, say)

    def _is_anything_found(self) -> bool:
        """Whether another process would start with more than this one has."""
        absent = [under.config for under in self._under.values() if isinstance(under.store, Outage)]
        return any(_can_open(config) for config in absent) or any(
            can_open_tier(self._config, self._seat, name) for name in self.absent_tiers
        )

    # Under-stores

    def _open_under(self, name: str, config: StoreConfig, mounts: list[MountConfig]) -> UnderStore:
        is_worth_caching = config.kind == "s3" or is_on_network(Path(config.root))
        cached = {
            mount.bucket
            for mount in mounts
            if mount.store == name and self._manner_of(mount, is_worth_caching=is_worth_caching).read == "cache"
        }
        self._cached_mounts |= cached
        is_cached = bool(cached)
        return UnderStore(
            name=name,
            config=config,
            store=self._open_s3(name, config, is_cached=is_cached)
            if config.kind == "s3"
            else self._open_local(name, config),
            is_worth_caching=is_worth_caching,
            is_cached=is_cached,
        )

    def _open_local(self, name: str, config: StoreConfig) -> ObjectStore | Outage:
        root = Path(config.root)
        try:
            if config.root == StoreConfig().root:
                root.mkdir(exist_ok=True)  # the default may be made; a directory that was named must be there
            store = LocalStore.open(
                root,
                fsync=config.fsync,
                read_only=config.read_only,
                min_part_size=config.min_part_size,
                upload_idle_seconds=config.upload_idle_days * 86400,
            )
        except OSError as error:
            raise StartError(f'{_path(name)}.root = "{root}": cannot be made: {error.strerror}') from error
        except RootError as error:
            if name == DEFAULT_STORE:
                raise StartError(f"store.root: {error}") from error
            log_error(f"store {name} is not there: {error}")
            return Outage(str(error))
        self._resources.push_async_callback(store.aclose)
        if self._seat.worker == 0:
            self._duties.append(store.maintain)
        return store

    def _open_s3(self, name: str, config: StoreConfig, *, is_cached: bool) -> ObjectStore:
        from s3proxy.node.far_store import open_s3  # noqa: PLC0415 (botocore takes a fifth of the time to start)

        # What a cache knows of buckets ends with a write through any worker; another memory behind it would outlast it.
        store = open_s3(
            _path(name),
            config,
            self.limiter_of(config),
            remembers_buckets=not is_cached,
            meter=self._seat.meters.store(name),
        )
        self._resources.push_async_callback(store.aclose)
        return store

    # The cache

    def _open_cache(self) -> None:
        self.cache = NodeCache.open(self._config, self._seat, self._nursery)
        self._resources.callback(self.cache.close)
        if self.cache.tiers:
            self.jobs.append(self.cache.upkeep)
            if self._seat.worker == 0 and self._config.cache.scrub_bytes_per_second:
                self._duties.append(self._scrub)

    async def _do_duties(self) -> None:
        """Do what is done once on a node, as soon as a worker before this one is gone."""
        async with self._seat.pulse.duty(), trio.open_nursery() as nursery:
            for duty in self._duties:
                nursery.start_soon(duty)

    async def _scrub(self) -> None:
        assert self.cache is not None
        await self.cache.scrub(self._config.cache.scrub_bytes_per_second)

    def _manner_of(self, mount: MountConfig, *, is_worth_caching: bool) -> _Manner:
        cache = self._config.cache
        read = mount.read or cache.read
        if read == "auto":
            read = "cache" if is_worth_caching else "through"
        ttl_seconds = mount.metadata_ttl_seconds
        return _Manner(
            read=read if self._seat.tiers else "through",
            write=mount.write or cache.write,
            metadata_ttl_seconds=cache.metadata_ttl_seconds if ttl_seconds < 0 else ttl_seconds,
        )

    def _in_manner(self, under: UnderStore, manner: _Manner) -> ObjectStore | Outage:
        """The store behind a cache, unless no mount of it has one."""
        if isinstance(under.store, Outage) or self.cache is None or not under.is_cached:
            return under.store
        if manner not in under.in_manner:
            under.in_manner[manner] = self._cached(under, under.store, manner, self.cache)
        return under.in_manner[manner]

    def _cached(self, under: UnderStore, store: ObjectStore, manner: _Manner, cache: NodeCache) -> ObjectStore:
        is_filled_by_writes = manner.write == "cache-through" and manner.read == "cache"
        settings = Settings(
            name=self.identity_of(under.name),
            metadata_ttl_seconds=manner.metadata_ttl_seconds,
            read=manner.read,
            write=CacheThrough(nursery=self._nursery, directory=directory_of(self._config, self._seat.tiers[0]))
            if is_filled_by_writes
            else None,
            geometry=geometry_of(self._config),
            first_fetch_bytes=cache.limits.first_fetch_bytes,
        )
        return CachingStore(store, cache.blocks, cache.shared, settings, table=cache.table)

    # Mounts

    def _mount(self, mount: MountConfig) -> Mount:
        under = self._under[mount.store]
        return Mount(
            bucket=mount.bucket,
            store=self._in_manner(under, self._manner_of(mount, is_worth_caching=under.is_worth_caching)),
            store_name=under.name,
            target_bucket=mount.target_bucket,
            prefix=mount.prefix,
            is_read_only=mount.read_only or under.config.read_only,
        )


def _can_open(config: StoreConfig) -> bool:
    try:
        open_layout(Path(config.root), read_only=config.read_only).close()
    except RootError:
        return False
    return True


def _path(name: str) -> str:
    return "store" if name == DEFAULT_STORE else f"stores.{name}"
