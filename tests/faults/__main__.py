"""The relay as a process: ``python -m tests.faults --listen PORT --to HOST:PORT``. Says when it accepts, and where."""

import argparse
import sys
from pathlib import Path

import trio

from tests.faults.link import Shape
from tests.faults.relay import HOST, Relay
from tests.faults.rules import parse_rules


def main() -> None:
    """Run until ended by a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--listen", type=int, default=0, metavar="PORT", help="on loopback; 0: the kernel chooses")
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the store")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="each way")
    parser.add_argument("--rate", type=float, metavar="BYTES", help="a second, each way, of the whole link")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="faults as JSON, see tests/faults/rules.py")
    given = parser.parse_args()
    host, _, port = given.to.rpartition(":")
    relay = Relay(
        (host, int(port)),
        shape=Shape(delay_seconds=given.delay_ms / 1000, bytes_per_second=given.rate),
        rules=parse_rules(given.rules.read_bytes()) if given.rules else (),
    )
    trio.run(_run, relay, given.listen)


async def _run(relay: Relay, port: int) -> None:
    async with trio.open_nursery() as nursery:
        sys.stdout.write(f"relay ready on {HOST}:{await nursery.start(relay.run, port)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
