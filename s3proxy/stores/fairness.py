"""Requests to an under-store: a bounded number at once, and turns between clients when more are wanted."""

from collections import OrderedDict, deque
from types import TracebackType

import trio

from s3proxy.telemetry import current_client


class FairLimiter:
    """Lets so many tasks through at once; the others wait, and clients take turns.

    A client that wants a thousand slots delays one that wants a single one by one request of each other client at most.
    Who the client is says ``telemetry.current_client``; tasks that nobody asked for count as one client.

    Args:
        slots: how many at once, at least 1.
    """

    def __init__(self, slots: int) -> None:
        assert slots > 0, "nothing would ever pass"
        self._free = slots
        self._waiting: OrderedDict[str, deque[trio.Event]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<FairLimiter: {self._free} free, {sum(map(len, self._waiting.values()))} waiting>"

    def slot(self) -> "Slot":
        """A context within which a slot is held; waits for one without a deadline of its own."""
        return Slot(self)

    async def acquire(self) -> None:
        """Wait for a slot; ``release`` gives it back."""
        if self._free:
            self._free -= 1  # nobody waits while a slot is free
        else:
            await self._wait(current_client.get())

    def release(self) -> None:
        """Pass a slot on to the client whose turn it is."""
        if not self._waiting:
            self._free += 1
            return
        client, turns = self._waiting.popitem(last=False)
        turns.popleft().set()
        if turns:
            self._waiting[client] = turns  # behind all others

    async def _wait(self, client: str) -> None:
        turn = trio.Event()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn.wait()
        except BaseException:
            self._give_up(client, turn)
            raise

    def _give_up(self, client: str, turn: trio.Event) -> None:
        if turn.is_set():
            self.release()
            return
        turns = self._waiting[client]
        turns.remove(turn)
        if not turns:
            del self._waiting[client]


class Slot:
    """A context that holds a slot of a limiter; another task than the one that entered it may leave it."""

    __slots__ = ("_limiter",)

    def __init__(self, limiter: FairLimiter) -> None:
        self._limiter = limiter

    async def __aenter__(self) -> None:
        await self._limiter.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.release()
