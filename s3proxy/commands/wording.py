"""What the commands say, as text: nothing here writes it anywhere."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from s3proxy.admin.messages import (
    BucketUsage,
    Counter,
    Failed,
    Freed,
    Loaded,
    ObjectPresence,
    Pin,
    PinChanged,
    Progress,
    Refused,
    Result,
    Shown,
    TierUsage,
    TooSmall,
    Verified,
)
from s3proxy.commands.sizes import format_size

_RATE_WINDOW_SECONDS = 10.0

_PIN_WORDS = {
    (True, True): "pinned",
    (True, False): "was pinned already",
    (False, True): "unpinned",
    (False, False): "had no pin",
}
"""Of a prefix, by whether it is pinned now and whether that has changed."""


def printable(name: str) -> str:
    """``name`` with what could steer a terminal, or hide in one, as escapes: keys are what anybody chose."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


class ProgressWords:
    """Tells how far a command is; keeps the last seconds to tell the rate and the time that is left."""

    def __init__(self, done: str, things: str) -> None:
        self._done = done
        self._things = things
        self._seen: deque[tuple[float, Progress]] = deque()

    def tell(self, progress: Progress, now: float) -> str:
        """``loaded 1.20 GiB of 3.00 GiB, 12 of 40 objects, 201 MiB/s, 9 s left``."""
        self._seen.append((now, progress))
        while now - self._seen[0][0] > _RATE_WINDOW_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        of_bytes = f" of {format_size(progress.total_bytes)}" if progress.total_bytes else ""
        of_objects = f" of {progress.total_objects:,}" if progress.total_objects else ""
        words = f"{self._done} {format_size(progress.bytes)}{of_bytes}, {progress.objects:,}{of_objects} {self._things}"
        return words + self._rate() + self._left()

    def _rate(self) -> str:
        (then, before), (now, progress) = self._seen[0], self._seen[-1]
        if now == then:
            return ""
        gone = (progress.fetched_bytes - before.fetched_bytes) or (progress.bytes - before.bytes)
        return f", {format_size(gone / (now - then))}/s"

    def _left(self) -> str:
        (then, before), (now, progress) = self._seen[0], self._seen[-1]
        gone = progress.bytes - before.bytes
        if not progress.is_counted or gone <= 0 or now == then:
            return ""
        seconds = (progress.total_bytes - progress.bytes) * (now - then) / gone
        return f", {format_duration(seconds)} left"


def format_duration(seconds: float) -> str:
    """``9 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def tell_result(result: Result) -> str:
    """One sentence of what was done; empty where the rest has said it all."""
    match result:
        case Shown():
            return _tell_shown(result)
        case Loaded():
            failed = f"; {_count(result.failed, 'object')} failed" if result.failed else ""
            return (
                f"{_count(result.objects - result.failed, 'object')} loaded, {format_size(result.bytes)} cached, "
                f"of which {format_size(result.fetched_bytes)} were fetched now{failed}"
            )
        case Freed():
            kept = f"; {_count(result.pinned_blocks, 'pinned block')} kept" if result.pinned_blocks else ""
            return f"{_count(result.blocks, 'block')} freed, {format_size(result.bytes)}{kept}"
        case PinChanged():
            return f"s3://{result.bucket}/{printable(result.prefix)}: {_PIN_WORDS[result.is_pinned, result.is_changed]}"
        case Verified():
            bad = f"{_count(result.bad, 'damaged block')} dropped" if result.bad else "all good"
            return f"{_count(result.blocks, 'block')} verified, {format_size(result.bytes)}; {bad}"
        case Refused():
            return result.reason


def _tell_shown(result: Shown) -> str:
    if not result.objects:
        return ""
    return (
        f"{percentage(result.present_bytes, result.total_bytes)} of {_count(result.objects, 'object')}: "
        f"{format_size(result.present_bytes)} of {format_size(result.total_bytes)} cached"
    )


def has_failed(result: Result) -> bool:
    """Whether something was left undone."""
    match result:
        case Loaded():
            return result.failed > 0
        case Verified():
            return result.bad > 0
        case Refused():
            return True
        case _:
            return False


def tell_failure(failed: Failed) -> str:
    """``failed: s3://bucket/key: why``."""
    return f"failed: {printable(failed.name)}: {printable(failed.reason)}"


def tell_too_small(found: TooSmall) -> str:
    """That the tiers cannot hold what is loaded."""
    return (
        f"the tiers hold {format_size(found.size_bytes)}, but {format_size(found.total_bytes)} are to be loaded: "
        "what is loaded last evicts what was loaded first"
    )


def tell_presence(presence: ObjectPresence) -> str:
    """One row of the objects' table."""
    share = percentage(presence.present_bytes, presence.size)
    return f"{share:>5} {format_size(presence.size):>10} {_by_tier(presence.cached)}  {printable(presence.key)}"


def presence_header(tiers: Iterable[str]) -> str:
    """The head of the objects' table."""
    return f"{'here':>5} {'size':>10} {' '.join(f'{tier:>10}' for tier in tiers)}  key"


def _by_tier(cached: Mapping[str, int]) -> str:
    return " ".join(f"{format_size(size):>10}" for size in cached.values())


def tell_caches(
    tiers: Sequence[TierUsage], pins: Sequence[Pin], buckets: Sequence[BucketUsage], counters: Sequence[Counter]
) -> str:
    """The whole cache in tables."""
    sections = [_table(["tier", "used", "of", "full", "blocks", "directory"], map(_tier_row, tiers))]
    if buckets:
        names = [tier.tier for tier in tiers]
        rows = ([each.bucket, *_sizes(each.cached, names), f"{each.blocks:,}"] for each in buckets)
        sections.append(_table(["bucket", *names, "blocks"], rows))
    if pins:
        sections.append(_table(["pinned"], ([f"s3://{pin.bucket}/{printable(pin.prefix)}"] for pin in pins)))
    if counters:
        sections.append(_table(["counted since the start", ""], ([each.name, f"{each.value:,}"] for each in counters)))
    return "\n\n".join(sections)


def _tier_row(tier: TierUsage) -> list[str]:
    full = percentage(tier.used_bytes, tier.size_bytes)
    sizes = [format_size(tier.used_bytes), format_size(tier.size_bytes)]
    return [tier.tier, *sizes, full, f"{tier.blocks:,}", printable(tier.directory)]


def _sizes(cached: Mapping[str, int], tiers: Iterable[str]) -> list[str]:
    return [format_size(cached.get(tier, 0)) for tier in tiers]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; those that hold figures are set to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if lines[-1][column][:1].isdigit() else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def percentage(part: int, whole: int) -> str:
    """Rounded down, so that 100% is all of it; an empty whole is there entirely."""
    return f"{part * 100 // whole}%" if whole else "100%"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
