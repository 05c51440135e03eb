import pytest
import trio
from trio.testing import MockClock

from s3proxy.admin.readiness import Health, StoreProbe, reason_against
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import StoreUnavailableError

WELL = Health(is_reachable=True, checked_at=1.0)


@pytest.mark.parametrize(
    ("is_draining", "missing", "health", "reason"),
    [
        (False, [], WELL, ""),
        (True, [], WELL, "draining"),
        (False, [1], WELL, "worker 1 missing"),
        (False, [0, 2], WELL, "workers 0, 2 missing"),
        (False, [], Health(is_reachable=False, reason="10.0.0.1 refused"), "the default store cannot be reached"),
    ],
)
def test_node_is_ready_only_when_all_is_well(
    is_draining: bool, missing: list[int], health: Health, reason: str
) -> None:
    assert reason_against(is_draining=is_draining, missing_workers=missing, default_store=health) == reason


class Store:
    """Fails as it is told to."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.seconds = 0.0

    async def ask(self) -> None:
        await trio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure


async def after(seconds: float, store: Store, probe: StoreProbe) -> Health:
    with trio.move_on_after(seconds):
        await probe.run()
    return probe.health


async def test_store_is_not_reachable_before_it_was_asked() -> None:
    health = StoreProbe(Store().ask).health
    assert (health.is_reachable, health.checked_at) == (False, None)


async def test_store_that_answers_is_reachable_whatever_it_says(autojump_clock: MockClock) -> None:
    store = Store()
    probe = StoreProbe(store.ask, clock=trio.current_time)
    assert (await after(1, store, probe)).is_reachable
    store.failure = S3Error(ErrorCode.ACCESS_DENIED)
    assert (await after(1, store, probe)).is_reachable


async def test_store_that_cannot_be_reached_is_told_of_and_comes_back(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store()
    store.failure = StoreUnavailableError("connection refused")
    probe = StoreProbe(store.ask, clock=trio.current_time)
    health = await after(30, store, probe)
    assert (health.is_reachable, health.reason) == (False, "connection refused")
    assert capsys.readouterr().err.count("connection refused") == 1
    store.failure = None
    assert (await after(1, store, probe)).is_reachable


async def test_store_that_answers_too_late_is_not_reachable(autojump_clock: MockClock) -> None:
    store = Store()
    store.seconds = 60
    assert "within 3 s" in (await after(4, store, StoreProbe(store.ask, clock=trio.current_time))).reason


async def test_probe_that_hangs_where_no_deadline_reaches_makes_the_store_unreachable(
    autojump_clock: MockClock,
) -> None:
    store = Store()
    probe = StoreProbe(store.ask, clock=trio.current_time)
    assert (await after(1, store, probe)).is_reachable
    await trio.sleep(60)
    assert probe.health == Health(is_reachable=False, reason="it does not answer", checked_at=probe.health.checked_at)


async def test_probe_survives_what_it_does_not_expect(autojump_clock: MockClock) -> None:
    store = Store()
    store.failure = RuntimeError("a fault of the program")
    assert not (await after(10, store, StoreProbe(store.ask, clock=trio.current_time))).is_reachable
