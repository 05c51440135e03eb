"""A bound on a rate, shared by however many tasks."""

import trio


class Pace:
    """Lets ``bytes_per_second`` through on average: who asks waits until what was let through before has had its time.

    There is no credit for idle time, so the rate is not exceeded after a pause by more than what one call asks for.
    """

    def __init__(self, bytes_per_second: float | None) -> None:
        self._bytes_per_second = bytes_per_second
        self._free_at = -1.0

    async def wait_for(self, count: int) -> None:
        """Return when ``count`` bytes more may go; without a bound, at once."""
        if self._bytes_per_second is None:
            return
        now = trio.current_time()
        start = max(now, self._free_at)
        self._free_at = start + count / self._bytes_per_second
        await trio.sleep_until(start)
