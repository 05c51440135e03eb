"""The tables of a configuration file as frozen dataclasses: every key, its type, its default and its limits."""

from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

KIB, MIB, GIB = 2**10, 2**20, 2**30

DEFAULT_STORE = "default"
"""The name of ``[store]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The smallest and largest value that a number may have."""

    least: float = 0
    most: float = 2**53
    is_size: bool = False
    """Bytes, which may be written with a unit: ``"512 MiB"``."""


def _number(default: float, *, least: float = 0, most: float = 2**53) -> Any:  # noqa: ANN401 (as dataclasses.field)
    return field(default=default, metadata={"limit": Limit(least=least, most=most)})


def _size(default: int, *, least: int = 0, most: int = 2**53) -> Any:  # noqa: ANN401 (as dataclasses.field)
    return field(default=default, metadata={"limit": Limit(least=least, most=most, is_size=True)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """``[server]``: the data port."""

    listen: str = "127.0.0.1:39999"
    """HOST:PORT; port 0 lets the kernel choose."""
    region: str = "us-east-1"
    domains: tuple[str, ...] = ()
    """Domains for virtual-host addressing: ``bucket.DOMAIN``."""
    workers: int = _number(0, most=256)
    """Processes that serve; 0 for one per core."""
    max_connections: int = _number(10_000, least=1)
    """Of each worker."""
    head_timeout_seconds: float = _number(30, least=0.1)
    idle_timeout_seconds: float = _number(120, least=0.1)
    stall_timeout_seconds: float = _number(60, least=0.1)
    readiness_seconds: float = _number(0)
    """After SIGTERM, how long to go on accepting while /readyz already says no."""
    drain_seconds: float = _number(30)
    worker_timeout_seconds: float = _number(10)
    """A process whose event loop stands still for so long is killed and replaced; 0 is never."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of balancers, whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    proxy_protocol: bool = False
    """These send a PROXY header, version 1 or 2, on every connection; nobody else may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """``[tls]``: encryption on the data port; PEM files."""

    certificate_file: str = ""
    """With the certificates in between behind it; empty for plain HTTP."""
    key_file: str = ""
    """Not encrypted."""
    client_certificate: Literal["off", "optional", "required"] = "off"
    """Whether clients prove who they are before they may ask for anything; ``optional`` refuses only wrong proofs."""
    client_ca_file: str = ""
    """Who signed the certificates of clients."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """``[auth]``: who may call."""

    mode: Literal["open", "signature"] = "open"
    allow_open_network: bool = False
    """Permit open mode on an address other than loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """``[[users]]``: one pair of keys. ``id`` defaults to the name; users with the same id are one owner."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """``[store]``: what holds the buckets, a directory or an S3 at a distance."""

    kind: Literal["local", "s3"] = "local"
    read_only: bool = False

    root: str = "s3proxy-data"
    fsync: bool = True
    """Answer 200 to a write only when it is on the disk."""
    min_part_size: int = _size(5 * MIB)
    """Bytes that every part but the last of a multipart upload must have."""
    upload_idle_days: float = _number(7, least=0.001)
    """A multipart upload that nobody touched for so long is aborted."""

    endpoint: str = ""
    """URL; empty for AWS in ``region``."""
    region: str = "us-east-1"
    addressing: Literal["auto", "path", "virtual"] = "auto"
    access_key: str = ""
    """Empty, with the secret, to take what botocore finds: environment, shared files, instance metadata."""
    secret_key: str = field(default="", repr=False)
    anonymous: bool = False
    """Send unsigned requests."""
    ca_file: str = ""
    """PEM; empty for the system's roots."""
    conditional_writes: Literal["auto", "none", "put", "all"] = "auto"
    """What the store honours If-Match and If-None-Match of; other conditional writes are refused. ``put`` is PutObject
    alone; ``auto`` is ``all`` for AWS and ``put`` for others."""
    deadline_seconds: float = _number(20, least=0.1)
    """For a request to be answered, repetitions included; of a body only until its first byte."""
    max_requests: int = _number(0)
    """Requests to this store at once; 0 for ``limits.max_store_requests``."""


KEYS_OF_KIND = {
    "local": frozenset({"root", "fsync", "min_part_size", "upload_idle_days"}),
    "s3": frozenset(
        {
            "endpoint",
            "region",
            "addressing",
            "access_key",
            "secret_key",
            "anonymous",
            "ca_file",
            "conditional_writes",
            "deadline_seconds",
            "max_requests",
        }
    ),
}
"""The keys that a store of the other kind has no use for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStoreConfig(StoreConfig):
    """``[[stores]]``: a further store, for mounts to name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountConfig:
    """``[[mount]]``: buckets of clients that are found in some store; without any, all are in ``[store]``."""

    bucket: str
    """A name, or a pattern with ``*``."""
    store: str = DEFAULT_STORE
    target_bucket: str = ""
    """The bucket in the store; empty for the same name."""
    prefix: str = ""
    """What the keys of clients are below, in the store."""
    read_only: bool = False
    read: Literal["", "auto", "cache", "through"] = ""
    write: Literal["", "through", "cache-through"] = ""
    metadata_ttl_seconds: float = _number(-1, least=-1, most=inf)
    """These three: empty, or -1, for what ``[cache]`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """``[cache]``: how objects are cached, where a tier is configured."""

    read: Literal["auto", "cache", "through"] = "auto"
    """``auto`` caches S3 and network file systems, but no directory on a local disk."""
    write: Literal["through", "cache-through"] = "through"
    metadata_ttl_seconds: float = _number(10, most=inf)
    """How long an object is believed to be what it was; 0 asks the store each time, ``inf`` never again."""
    block_size: int = _size(4 * MIB, least=64 * KIB, most=64 * MIB)
    fragment_size: int = _size(64 * KIB, least=4 * KIB, most=4 * MIB)
    """What is fetched at least, where a whole block is not worth it."""
    max_fetch_bytes: int = _size(64 * MIB, least=64 * KIB, most=GIB)
    """Of adjacent blocks, in one request to the store: 16 MiB at first, then as much as was read, up to this, and never
    more than a sixteenth of the fastest tier."""
    prefetch_bytes: int = _size(32 * MIB, most=GIB)
    """Ahead of a sequential reader; 0 is off."""
    metadata_entries: int = _number(32_768, least=128, most=16_777_216)
    """Objects that the workers remember together, in 1 KiB each."""
    scrub_bytes_per_second: int = _size(16 * MIB)
    """How fast blocks are read again to find those that decayed; 0 is never."""
    high_watermark: float = _number(0.95, least=0.1, most=1)
    """The part of a tier at which eviction begins,"""
    low_watermark: float = _number(0.9, least=0.05, most=1)
    """and the part at which it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTierConfig:
    """``[memory_tier]``: blocks in memory, which is to say on a tmpfs."""

    directory: str = ""
    """Empty for none."""
    size: int = _size(GIB)
    policy: Literal["lru", "s3-fifo"] = "lru"
    """What is evicted first: what was used least recently, or what is new and was not used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTierConfig:
    """``[disk_tier]``: blocks on a local disk."""

    directory: str = ""
    """Empty for none."""
    size: int = _size(10 * GIB)
    policy: Literal["lru", "s3-fifo"] = "lru"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """``[limits]``: what clients get of this node."""

    read_bytes_per_second: int = _size(0)
    """All that is sent to clients; 0 for no bound."""
    connection_read_bytes_per_second: int = _size(0)
    """What is sent on one connection; 0 for no bound."""
    max_store_requests: int = _number(256, least=1, most=100_000)
    """Requests of this node to one store at once; clients take turns when there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminConfig:
    """``[admin]``: what operators, monitoring and ``s3proxy cache`` reach the node by."""

    listen: str = "127.0.0.1:39990"
    """HOST:PORT of the dashboard and the metrics; empty for none, port 0 lets the kernel choose."""
    token: str = field(default="", repr=False)
    """What they must send; empty for nothing, on a loopback address only."""
    hosts: tuple[str, ...] = ()
    """Names, beside addresses and localhost, by which browsers and others call this node."""
    socket: str = ""
    """Path of a Unix socket; empty for one named after the port where the command looks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """``[log]``: what is told of the node and of requests. Files are appended to."""

    format: Literal["auto", "json", "console"] = "auto"
    """Of events and of the access log; ``auto`` is ``console`` for terminals and the journal, and JSON elsewhere."""
    access: str = "stderr"
    """``stderr``, ``off`` or the path of a file."""
    audit: str = "off"
    """The same; who changed what, always in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration that was checked."""

    server: ServerConfig = ServerConfig()
    tls: TlsConfig = TlsConfig()
    auth: AuthConfig = AuthConfig()
    users: tuple[UserConfig, ...] = ()
    store: StoreConfig = StoreConfig()
    stores: tuple[NamedStoreConfig, ...] = ()
    mount: tuple[MountConfig, ...] = ()
    cache: CacheConfig = CacheConfig()
    memory_tier: MemoryTierConfig = MemoryTierConfig()
    disk_tier: DiskTierConfig = DiskTierConfig()
    limits: LimitsConfig = LimitsConfig()
    admin: AdminConfig = AdminConfig()
    log: LogConfig = LogConfig()
