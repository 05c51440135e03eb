"""What a process that answers requests tells of them: numbers for the meters, words for the report."""

import time
from typing import Final, Protocol

from s3proxy.metrics.activity import Activity
from s3proxy.metrics.meters import Answered, Asked, Meters, Total

_BATCH: Final = 128
"""So many requests are counted at once, which takes half the time: code and words stay close to the processor."""


class Begun(Asked, Protocol):
    """A request of which it is known when it came."""

    @property
    def started(self) -> float:
        """``time.monotonic()`` when its head had arrived."""
        ...


class Work:
    """Told of each request that begins and ends in this process.

    Args:
        meters: where it is counted; words of its own when None.
        activity: where it is remembered.
    """

    def __init__(self, meters: Meters | None = None, activity: Activity | None = None) -> None:
        self.meters: Final = meters or Meters.private()
        self.activity: Final = activity or Activity()
        self.in_flight = 0
        """Requests that have begun and not ended."""
        self._answered: list[Answered] = []

    def begin(self) -> None:
        """Count a request in."""
        self.in_flight += 1

    def finish(
        self, begun: Begun, status: int, first_byte_at: float | None, sent: int, received: int, source: Total | None
    ) -> None:
        """Count a request out. The meters show it after the next ``settle``, which the 128th one does by itself.

        Args:
            begun: the request.
            status: of its answer.
            first_byte_at: ``time.monotonic()`` when the answer began to go out; None if it never did.
            sent: bytes of the answer's body.
            received: bytes of the request's body.
            source: where ``sent`` is counted as well.
        """
        self.in_flight -= 1
        started = begun.started
        seconds = time.monotonic() - started
        first_byte_seconds = seconds if first_byte_at is None else first_byte_at - started
        answered = self._answered
        answered.append((begun, status, seconds, first_byte_seconds, sent, received, source))
        if len(answered) >= _BATCH:
            self.settle()

    def settle(self) -> None:
        """Show all that is finished in the meters and in the activity."""
        self.meters.count_requests(self._answered)
        self.activity.note_requests(self._answered)
        self._answered.clear()
