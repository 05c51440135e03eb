"""How campaigns say what they measured, and that something is not as it must be."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.server import Server, remove_deep


class ViolationError(AssertionError):
    """What was promised does not hold; the message says what and where."""


def say(name: str, value: object, unit: str = "") -> None:
    """Print one measurement."""
    sys.stdout.write(f"{name}: {value} {unit}".rstrip() + "\n")
    sys.stdout.flush()


def require(holds: bool, message: str) -> None:
    """End the campaign unless ``holds``.

    Raises:
        ViolationError: it does not.
    """
    if not holds:
        raise ViolationError(message)


def settled(measure: Callable[[], int], most: int, *, seconds: float = 10) -> int:
    """What ``measure`` gives once it is at most ``most``, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    while (value := measure()) > most and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def require_flat(server: Server, descriptors: int) -> None:
    """Require that the server has no more descriptors open than it had, and no file being written, before long."""
    now = settled(server.descriptors, descriptors)
    require(now <= descriptors, f"{now} descriptors are open where {descriptors} were: {server.open_files()}")
    left = settled(lambda: len(server.temporaries()), 0)
    require(left == 0, f"{left} temporaries are left: {server.temporaries()[:3]}")


def run(campaign: Callable[[Path], None]) -> int:
    """Run a campaign in a directory of its own, as a command.

    Returns:
        The exit code: 0, or 1 after a violation, which is printed.
    """
    directory = Path(tempfile.mkdtemp(prefix="s3proxy-campaign-"))
    try:
        campaign(directory)
    except ViolationError as violation:
        say("VIOLATION", violation)
        return 1
    finally:
        remove_deep(directory)
    return 0
