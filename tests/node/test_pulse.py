"""What processes see of each other, here within one: each view is of its own."""

import itertools
import os
from contextlib import closing

import pytest
import trio
import trio.testing

from s3proxy.node import pulse
from s3proxy.node.pulse import Loss, Pulse, beat_forever, rows_of


def attached(words: Pulse, row: int) -> Pulse:
    return Pulse.attach(os.dup(words.fd), row)


def test_rows_are_two_for_each_worker_and_for_the_admin_process() -> None:
    assert rows_of(3) == 8


def test_draining_is_seen_by_all() -> None:
    with closing(Pulse.create(2)) as words, closing(attached(words, 3)) as seen:
        assert not seen.is_draining
        words.begin_draining()
        assert seen.is_draining


def test_serving_processes_are_seen_by_all_and_missing_ones_too() -> None:
    with closing(Pulse.create(2)) as words, closing(attached(words, 5)) as seen:
        words.set_serving(1, 4711)
        words.set_serving(2, 4712)
        assert seen.serving() == {0: None, 1: 4711, 2: 4712}
        words.set_serving(1, None)
        assert seen.serving() == {0: None, 1: None, 2: 4712}


def test_losses_are_counted_by_how() -> None:
    with closing(Pulse.create(2)) as words, closing(attached(words, 5)) as seen:
        words.count_loss(Loss.HUNG)
        words.count_loss(Loss.HUNG)
        words.count_loss(Loss.DIED)
        assert seen.losses() == {Loss.DIED: 1, Loss.HUNG: 2}
        assert seen.serving() == {0: None, 1: None, 2: None}


def test_silence_begins_with_the_last_beat_of_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(1000)  # since the machine began, one more with each look
    monkeypatch.setattr("time.monotonic_ns", lambda: next(seconds) * 1_000_000_000)
    with closing(Pulse.create(1)) as words, closing(attached(words, 3)) as seen:
        assert words.silent_seconds(3) >= 1000
        seen.beat()
        assert words.silent_seconds(3) == 1
        assert words.silent_seconds(2) >= 1000
        words.forget(2)
        assert words.silent_seconds(2) == 1


def test_fewest_connections_are_those_of_another_process_that_takes_more() -> None:
    with (
        closing(Pulse.create(2)) as words,
        closing(attached(words, 1)) as own,
        closing(attached(words, 2)) as one,
        closing(attached(words, 5)) as other,
    ):
        for each in (own, one, other):
            each.beat()
        assert own.fewest_elsewhere() is None
        own.tell_connections(0)
        assert own.fewest_elsewhere() is None
        one.tell_connections(7)
        other.tell_connections(3)
        assert (own.fewest_elsewhere(), other.fewest_elsewhere()) == (3, 0)
        other.tell_connections(None)
        assert own.fewest_elsewhere() == 7


def test_process_that_is_silent_or_replaced_takes_no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Pulse.create(1)) as words, closing(attached(words, 1)) as own, closing(attached(words, 2)) as other:
        other.beat()
        other.tell_connections(0)
        assert own.fewest_elsewhere() == 0
        words.forget(2)
        assert own.fewest_elsewhere() is None
        other.tell_connections(0)
        monkeypatch.setattr(pulse, "_GONE_SECONDS", 0.0)
        assert own.fewest_elsewhere() is None


async def test_beat_forever_beats_once_a_second(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = []
    monkeypatch.setattr(Pulse, "beat", lambda self: beats.append(trio.current_time()))
    began = trio.current_time()
    with trio.move_on_after(2.5):
        await beat_forever(Pulse.private())
    assert [round(at - began) for at in beats] == [0, 1, 2]


async def test_duty_is_one_s_at_a_time_and_goes_on_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_DUTY_POLL_SECONDS", 0.001)
    done: list[str] = []

    async def do(words: Pulse, name: str) -> None:
        async with words.duty():
            done.append(name)
            await trio.sleep_forever()

    with closing(Pulse.create(1)) as words, closing(attached(words, 0)) as old, closing(attached(words, 2)) as new:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                first = trio.CancelScope()

                async def do_first() -> None:
                    with first:
                        await do(old, "old")

                nursery.start_soon(do_first)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(do, new, "new")
                await trio.sleep(0.02)
                assert done == ["old"]
                first.cancel()
                while len(done) == 1:  # noqa: ASYNC110 (as a process would)
                    await trio.sleep(0.001)
                nursery.cancel_scope.cancel()
    assert done == ["old", "new"]


async def test_duty_of_a_process_that_shares_with_nobody_is_its_own() -> None:
    async with Pulse.private().duty():
        pass
