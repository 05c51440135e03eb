"""What a command and the node say to each other: a request as JSON, answered by a stream of JSON lines.

A line is a flat object whose ``type`` names one of the classes below. Some say how far the command is; the last one is
a ``Result``, and a stream without one was cut off. Who reads ignores types and fields that it does not know, so that
the command line of one release speaks with a node of another.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf

MAX_JOBS = 256


class RequestError(Exception):
    """A request that says something that is not allowed; the message is a sentence for who sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRequest:
    """What a command is to work on: the keys of ``bucket`` that start with ``prefix``, or everything."""

    bucket: str | None = None
    prefix: str = ""
    rate: float | None = None
    """At most so many bytes a second."""
    jobs: int = 8
    """How many objects at once."""
    pinned: bool = False
    """Pinned blocks too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a command is: objects (``load``) or blocks. The totals grow until ``is_counted``."""

    objects: int = 0
    bytes: int = 0
    fetched_bytes: int = 0
    """Of ``bytes``, what was not cached before."""
    total_objects: int = 0
    total_bytes: int = 0
    is_counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One object or block that a command had to leave, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooSmall:
    """What is to be loaded does not fit into the tiers; loading goes on, and evicts what it loaded first."""

    size_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUsage:
    """One tier: where it is and how full."""

    tier: str
    directory: str
    size_bytes: int
    used_bytes: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What was counted under ``name`` since the node started."""

    name: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Keys whose blocks are never evicted."""

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketUsage:
    """What is cached of one bucket; ``cached`` is tier -> bytes."""

    bucket: str
    blocks: int
    cached: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPresence:
    """How much of one object is cached: ``cached`` is tier -> bytes, and bytes that are in two tiers count in both."""

    key: str
    size: int
    present_bytes: int
    cached: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The end of ``status``; the totals are those of the objects, and 0 where none were asked for."""

    objects: int = 0
    total_bytes: int = 0
    present_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The end of ``load``: ``bytes`` of ``objects`` are cached now, of which ``fetched_bytes`` were not before."""

    objects: int
    bytes: int
    fetched_bytes: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """The end of ``free``; ``pinned_blocks`` were left."""

    blocks: int
    bytes: int
    pinned_blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChanged:
    """The end of ``pin`` and ``unpin``; not ``is_changed`` when it was so already."""

    bucket: str
    prefix: str
    is_pinned: bool
    is_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The end of ``verify``; the ``bad`` ones are dropped."""

    blocks: int
    bytes: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The end of a command that could not do its work."""

    reason: str


Result = Shown | Loaded | Freed | PinChanged | Verified | Refused
Message = Progress | Failed | TooSmall | TierUsage | Counter | Pin | BucketUsage | ObjectPresence | Result

_TYPES: dict[str, type[Message]] = {
    "progress": Progress,
    "failed": Failed,
    "too_small": TooSmall,
    "tier": TierUsage,
    "counter": Counter,
    "pin": Pin,
    "bucket": BucketUsage,
    "object": ObjectPresence,
    "shown": Shown,
    "loaded": Loaded,
    "freed": Freed,
    "pin_changed": PinChanged,
    "verified": Verified,
    "refused": Refused,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def encode(message: Message) -> bytes:
    """One line of the stream."""
    return json.dumps({"type": _NAMES[type(message)], **asdict(message)}).encode("ascii") + b"\n"


def decode(line: bytes) -> Message | None:
    """The message of one line, or None for a type that this release does not know.

    Raises:
        ValueError: it is no line of such a stream.
    """
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("not an object")  # noqa: TRY004 (like every other wrong line)
    kind = _TYPES.get(content.get("type", ""))
    if kind is None:
        return None
    try:
        return kind(**{each.name: content[each.name] for each in fields(kind) if each.name in content})
    except TypeError as error:
        raise ValueError(str(error)) from error


def encode_request(request: CacheRequest) -> bytes:
    """The body of a request."""
    return json.dumps(asdict(request)).encode("ascii")


def decode_request(body: bytes) -> CacheRequest:
    """The request of a body, every value checked.

    Raises:
        RequestError: it is no JSON object, or a value is of a wrong type or out of its limits.
    """
    try:
        content = json.loads(body or b"{}")
    except ValueError as error:
        raise RequestError("the request is not JSON") from error
    if not isinstance(content, dict):
        raise RequestError("the request is not a JSON object")
    unknown = content.keys() - {each.name for each in fields(CacheRequest)}
    if unknown:
        raise RequestError(f"{', '.join(sorted(unknown))}: unknown to this node")
    request = CacheRequest(**content)
    _check(request)
    return request


def _check(request: CacheRequest) -> None:
    if not isinstance(request.bucket, str | None) or not isinstance(request.prefix, str):
        raise RequestError("bucket and prefix must be strings")
    if request.prefix and not request.bucket:
        raise RequestError("a prefix without a bucket")
    if request.rate is not None and (type(request.rate) not in {int, float} or not 1 <= request.rate < inf):
        raise RequestError(f"rate = {request.rate!r}: must be bytes a second, at least 1")
    if type(request.jobs) is not int or not 1 <= request.jobs <= MAX_JOBS:
        raise RequestError(f"jobs = {request.jobs!r}: must be from 1 to {MAX_JOBS}")
    if type(request.pinned) is not bool:
        raise RequestError(f"pinned = {request.pinned!r}: must be true or false")
