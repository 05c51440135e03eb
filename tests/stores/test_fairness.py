import pytest
import trio
import trio.testing

from s3proxy.stores.fairness import FairLimiter
from s3proxy.telemetry import current_client


class Clients:
    """Clients that each hold a slot for a second, and the order in which they got it."""

    def __init__(self, slots: int, nursery: trio.Nursery) -> None:
        self.limiter = FairLimiter(slots)
        self.served: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self._nursery = nursery

    async def ask(self, name: str, times: int = 1) -> None:
        """Ask, and return when the request is in the queue."""
        for _ in range(times):
            self._nursery.start_soon(self.request, name)
            await trio.testing.wait_all_tasks_blocked()

    async def request(self, name: str) -> None:
        current_client.set(name)
        async with self.limiter.slot():
            self.served.append(name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await trio.sleep(1)
            finally:
                self.at_once -= 1


async def test_slots_bound_how_many_pass_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        clients = Clients(3, nursery)
        await clients.ask("a", 10)
    assert clients.most_at_once == 3
    assert len(clients.served) == 10


async def test_free_slot_is_given_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        clients = Clients(2, nursery)
        await clients.ask("a", 2)
        assert clients.served == ["a", "a"]


async def test_clients_take_turns_whoever_asks_for_more(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        clients = Clients(1, nursery)
        await clients.ask("greedy", 5)
        await clients.ask("modest")
        await clients.ask("other", 2)
    assert clients.served == ["greedy", "greedy", "modest", "other", "greedy", "other", "greedy", "greedy"]


async def test_one_client_is_served_in_its_order(autojump_clock: trio.testing.MockClock) -> None:
    limiter = FairLimiter(1)
    served: list[int] = []

    async def request(number: int) -> None:
        async with limiter.slot():
            served.append(number)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(request, number)
            await trio.testing.wait_all_tasks_blocked()
    assert served == list(range(5))


async def test_cancelled_waiter_leaves_the_queue(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        clients = Clients(1, nursery)
        await clients.ask("first")
        with trio.move_on_after(0.5):
            await clients.request("impatient")
        await clients.ask("next")
    assert clients.served == ["first", "next"]
    assert repr(clients.limiter) == "<FairLimiter: 1 free, 0 waiting>"


async def test_cancelled_holder_passes_its_slot_on(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        clients = Clients(1, nursery)
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() + 0.5
            async with clients.limiter.slot():
                await clients.ask("waiting")
                await trio.sleep_forever()
        await trio.testing.wait_all_tasks_blocked()
        assert clients.served == ["waiting"]
    assert repr(clients.limiter) == "<FairLimiter: 1 free, 0 waiting>"


async def test_slot_given_in_the_moment_of_the_cancellation_is_passed_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limiter = FairLimiter(1)
    scope = trio.CancelScope()

    async def cancelled() -> None:
        with scope:
            async with limiter.slot():
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with limiter.slot():
            nursery.start_soon(cancelled)
            await trio.testing.wait_all_tasks_blocked()
        scope.cancel()  # the slot was given, and the waiter has not run yet
    assert repr(limiter) == "<FairLimiter: 1 free, 0 waiting>"


async def test_failing_request_gives_its_slot_back() -> None:
    limiter = FairLimiter(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            async with limiter.slot():
                raise ValueError("no")
    assert repr(limiter) == "<FairLimiter: 1 free, 0 waiting>"


async def test_tasks_of_a_client_s_task_are_that_client_s(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as fills:
        clients = Clients(1, fills)

        async def fill(_: str) -> None:
            async with clients.limiter.slot():
                clients.served.append(current_client.get())

        current_client.set("ann@10.0.0.1")
        fills.start_soon(fill, "")
    assert clients.served == ["ann@10.0.0.1"]
