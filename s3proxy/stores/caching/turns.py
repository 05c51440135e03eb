"""Whose turn it is to ask the store about an object, so that a herd of readers asks once.

Of one process, one request at a time has the turn for an object; it locks the object's slot of the shared table
against those of the other workers. A turn ends when what was learned can be found, or the request failed or was
cancelled; those who waited then look again. Nobody waits for longer than ``PATIENCE_SECONDS``: who has lost it asks for
itself.
"""

from typing import Final

import trio

from s3proxy.stores.caching.metadata import Asking, Place
from s3proxy.stores.caching.shared_metadata import MetadataTable

PATIENCE_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.001


class Turn:
    """One request's turn.

    *Closes:* whoever has it calls ``end`` on every path.
    """

    __slots__ = ("_slot", "_turns", "asking", "done", "failure", "place")

    def __init__(self, turns: "Turns", place: Place) -> None:
        self.place: Final = place
        self.done: Final = trio.Event()
        self.asking: Asking | None = None
        """When the store was asked."""
        self.failure: Exception | None = None
        """What the store answered instead of an object."""
        self._turns = turns
        self._slot: int | None = None

    async def wait_for_workers(self) -> None:
        """Wait until no other worker has the turn for this object, or the patience is at its end."""
        table = self._turns.table
        if table is None:
            return
        with trio.move_on_after(PATIENCE_SECONDS):
            # The kernel tells nobody when a lock is freed.
            while (slot := table.try_lock(self._turns.store, *self.place)) is None:  # noqa: ASYNC110
                await trio.sleep(_POLL_SECONDS)
            self._slot = slot

    def end(self, failure: Exception | None = None) -> None:
        """Let the others go on; idempotent."""
        if self.done.is_set():
            return
        self.failure = failure
        if self._slot is not None and self._turns.table is not None:
            self._turns.table.unlock(self._slot)
        del self._turns.current[self.place]
        self.done.set()


class Turns:
    """The turns of this process.

    Args:
        store: the name under which objects are in the table.
        table: whose slots are locked; None for a process on its own.
    """

    def __init__(self, store: str, table: MetadataTable | None) -> None:
        self.store: Final = store
        self.table: Final = table
        self.current: Final[dict[Place, Turn]] = {}

    def begin(self, place: Place) -> Turn | None:
        """Take the turn, if no request of this process has it."""
        if place in self.current:
            return None
        turn = self.current[place] = Turn(self, place)
        return turn

    async def wait(self, place: Place) -> Turn | None:
        """Wait for the end of the turn that some request has now.

        Returns:
            The turn that ended; None when the patience did before.
        """
        turn = self.current[place]
        with trio.move_on_after(PATIENCE_SECONDS):
            await turn.done.wait()
            return turn
        return None
