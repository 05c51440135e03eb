"""Requests to an under-store: a bounded number at once, and turns between clients when more are wanted."""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot within; waits for one without a deadline of its own."""
        if self._free:
            self._free -= 1  # nobody waits while a slot is free
        else:
            await self._wait(current_client.get())
        try:
            yield
        finally:
            self._pass_on()

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
            self._pass_on()
            return
        turns = self._waiting[client]
        turns.remove(turn)
        if not turns:
            del self._waiting[client]

    def _pass_on(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        client, turns = self._waiting.popitem(last=False)
        turns.popleft().set()
        if turns:
            self._waiting[client] = turns  # behind all others
