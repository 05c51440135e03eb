"""Requests as they are told of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    peer: str = "192.0.2.1"
    operation: str = "GetObject"
    resource: str = "/photos/cat.jpg"
    started: float = 0.0


class Clock:
    """Seconds since 1970, as a test says."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now
