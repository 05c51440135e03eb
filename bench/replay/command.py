"""``python -m bench replay``: replay access logs against cache policies, or make such logs up."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench import BenchError
from bench.content import MIB
from bench.replay.making import KINDS
from bench.replay.policies import POLICIES, next_uses_of
from bench.replay.recording import record
from bench.replay.report import Figure, draw, table, write_figures
from bench.replay.simulation import USE_SECONDS, Access, Replay, accesses_of, footprint_of
from bench.replay.trace import read_trace, write_trace
from s3proxy.cache.blocks import Geometry
from s3proxy.config.sizes import parse_size

RECORDED: Final = "pyarrow"
_FRACTIONS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)


def add_replay_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command, which ``replay`` reads."""
    usual = Geometry()
    parser.add_argument("paths", nargs="+", type=Path, metavar="TRACE", help="access logs in JSON, perhaps gzipped")
    parser.add_argument(
        "--make",
        choices=[*KINDS, RECORDED],
        help=f"make TRACE first; {RECORDED} records what pyarrow reads of a node that is started for it",
    )
    parser.add_argument(
        "--sizes", type=_sizes, default=(), help="of the tier, as 512MiB,1GiB; usually fractions of all that is read"
    )
    parser.add_argument("--policies", default=",".join(POLICIES), help="separated by commas")
    parser.add_argument("--block-size", type=parse_size, default=usual.block_size, help="of the cache")
    parser.add_argument("--unit-size", type=parse_size, default=usual.unit_size, help="of the cache")
    parser.add_argument(
        "--use-seconds", type=float, default=USE_SECONDS, help="accesses so soon after each other are one use"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="for replay.jsonl, replay.svg and replay.png")


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(map(parse_size, text.split(",")))


def replay(options: argparse.Namespace) -> int:
    """Replay access logs against cache policies at several sizes, and print hit ratio / byte hit ratio."""
    geometry = _geometry(options)
    policies = _policies(options.policies)
    if options.make:
        _make(options.make, options.paths)
    reads = read_trace(options.paths)
    accesses = accesses_of(reads, geometry)
    footprint = footprint_of(accesses, geometry)
    objects = len({(read.bucket, read.key, read.etag) for read in reads})
    title = f"{len(reads):,} reads of {objects:,} objects, {len(accesses):,} accesses to blocks"
    print(f"{title}; all that is read takes {footprint / MIB:,.0f} MiB", flush=True)
    sizes = options.sizes or [max(int(footprint * part), geometry.block_size) for part in _FRACTIONS]
    figures = list(_measure(accesses, geometry, policies, sizes, options.use_seconds))
    print(f"hit ratio / byte hit ratio\n{table(figures, footprint)}")
    if options.out:
        name = ", ".join(path.name for path in options.paths)
        written = [write_figures(options.out, figures), *draw(options.out, figures, f"{name}: {title}")]
        print(f"\nwritten to {', '.join(map(str, written))}")
    return 0


def _make(kind: str, paths: Sequence[Path]) -> None:
    if len(paths) != 1:
        raise BenchError("one trace is made at a time")
    reads = record() if kind == RECORDED else KINDS[kind]()
    count = write_trace(paths[0], reads)
    print(f"{paths[0]}: {count:,} reads, {paths[0].stat().st_size:,} bytes", flush=True)


def _geometry(options: argparse.Namespace) -> Geometry:
    try:
        return Geometry(block_size=options.block_size, unit_size=options.unit_size)
    except ValueError as error:
        raise BenchError(str(error)) from error


def _policies(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(POLICIES):
        raise BenchError(f"no policy is named {' or '.join(sorted(unknown))}; there are {', '.join(POLICIES)}")
    return names


def _measure(
    accesses: Sequence[Access], geometry: Geometry, policies: Sequence[str], sizes: Sequence[int], use_seconds: float
) -> Iterator[Figure]:
    next_uses = next_uses_of([access.block for access in accesses])
    for size in sizes:
        for name in policies:
            policy = POLICIES[name](size, geometry.block_size, next_uses)
            tally = Replay(policy, geometry, use_seconds=use_seconds).run(accesses)
            yield Figure(policy=name, size=size, tally=tally)
