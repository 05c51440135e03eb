"""Connections that wait for another request. Decides and acts at once: nothing here waits."""

from collections import deque
from typing import Generic, Protocol, TypeVar


class Idle(Protocol):
    """What a pool must know of a connection."""

    def is_quiet(self) -> bool:
        """Whether the connection can carry another request."""
        ...

    def close(self) -> None:
        """Close at once."""
        ...


C = TypeVar("C", bound=Idle)


class Pool(Generic[C]):
    """Idle connections, the one used last taken first, so that those that are not needed grow old and are closed.

    Closes: owns the connections in it. Those that are too old are closed whenever it is used, not by a clock.
    """

    __slots__ = ("_idle", "_idle_timeout_seconds", "_max_idle")

    def __init__(self, *, max_idle: int, idle_timeout_seconds: float) -> None:
        self._idle: deque[tuple[float, C]] = deque()  # with the time when each has waited for too long, in order
        self._max_idle = max_idle
        self._idle_timeout_seconds = idle_timeout_seconds

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, now: float) -> C | None:
        """Take the connection used last out of the pool; None when there is none that can be used."""
        self._close_expired(now)
        while self._idle:
            _, connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def put(self, connection: C, now: float) -> None:
        """Keep a connection for another request, or close it or another one."""
        self._close_expired(now)
        self._idle.append((now + self._idle_timeout_seconds, connection))
        if len(self._idle) > self._max_idle:
            self._idle.popleft()[1].close()

    def close(self) -> None:
        """Close all."""
        while self._idle:
            self._idle.pop()[1].close()

    def _close_expired(self, now: float) -> None:
        while self._idle and self._idle[0][0] <= now:
            self._idle.popleft()[1].close()
