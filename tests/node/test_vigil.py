"""Who is ended when its event loop stands still. Beats go by the machine's clock, so here they are made by hand."""

from contextlib import closing

import pytest
import trio
from trio.testing import MockClock

from s3proxy.node import systemd
from s3proxy.node.posts import Post, posts_of
from s3proxy.node.process import Process
from s3proxy.node.pulse import Loss, Pulse
from s3proxy.node.vigil import end_hung, feed_watchdog


class Silence(Pulse):
    """Beats that came so many seconds ago."""

    seconds: dict[int, float]

    def silent_seconds(self, row: int) -> float:
        return self.seconds[row]


def silence(*seconds: float) -> Silence:
    pulse = Silence.create(len(seconds))
    pulse.seconds = dict(enumerate(seconds))
    return pulse


def serving(workers: int) -> list[Post]:
    posts = posts_of(workers, has_admin=False)
    for post in posts:
        post.serving = Process(post.number, post.number)
    return posts


async def lost_after(posts: list[Post], pulse: Pulse, timeout_seconds: float) -> list[int]:
    """The numbers of the processes that were ended within half a minute."""
    with trio.move_on_after(30):
        await end_hung(posts, pulse, lambda: timeout_seconds)
    return [post.number for post in posts if post.serving is not None and post.serving.lost.is_set()]


async def test_process_without_a_beat_for_so_long_is_ended_and_others_are_not(autojump_clock: MockClock) -> None:
    with closing(silence(0.5, 10.1, 9.9)) as pulse:
        posts = serving(3)
        assert await lost_after(posts, pulse, 10) == [1]
        process = posts[1].serving
        assert process is not None
        assert process.reason == "was killed, for its event loop stood still for 10 seconds"
        assert process.loss is Loss.HUNG


async def test_nobody_is_ended_where_the_timeout_is_0(autojump_clock: MockClock) -> None:
    with closing(silence(1000)) as pulse:
        assert await lost_after(serving(1), pulse, 0) == []


async def test_nobody_is_ended_when_the_whole_machine_stood_still(
    mock_clock: MockClock,
) -> None:
    with closing(silence(100)) as pulse:
        posts = serving(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_hung, posts, pulse, lambda: 10.0)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(100)  # nobody has had a chance to beat
            await trio.testing.wait_all_tasks_blocked()
            pulse.seconds[0] = 0.1  # but has now
            mock_clock.jump(1)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert posts[0].serving is not None
        assert not posts[0].serving.lost.is_set()


@pytest.mark.parametrize(("silent", "is_stopping", "is_fed"), [(1, False, True), (6, False, False), (6, True, True)])
async def test_watchdog_is_fed_while_all_beat_or_the_node_drains(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, silent: float, is_stopping: bool, is_fed: bool
) -> None:
    told: list[str] = []
    monkeypatch.setattr(systemd, "notify", lambda *words: told.extend(words))
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with closing(silence(0, silent)) as pulse, trio.move_on_after(6):
        await feed_watchdog(serving(2), pulse, lambda: is_stopping)
    assert told == (["WATCHDOG=1"] * 3 if is_fed else [])
