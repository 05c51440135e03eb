import pytest
import trio
from trio.testing import MockClock

from s3proxy.node.posts import posts_of
from s3proxy.node.process import Process


def test_admin_process_is_the_last_and_the_node_serves_without_it() -> None:
    assert [(post.number, post.name, post.is_vital) for post in posts_of(2, has_admin=True)] == [
        (0, "worker 0", True),
        (1, "worker 1", True),
        (2, "the admin process", False),
    ]


def test_posts_have_two_rows_each_and_no_row_twice() -> None:
    rows = [post.rows[1].receive_nowait() for post in posts_of(2, has_admin=True) for _ in range(2)]
    assert sorted(rows) == list(range(6))


async def test_worker_that_was_lost_five_times_soon_after_its_start_is_given_up() -> None:
    [post] = posts_of(1, has_admin=False)
    process = Process(0, 0)
    process.words = "ended with code 7"
    assert [post.count_loss(process) for _ in range(4)] == [""] * 4
    assert post.count_loss(process) == (
        "worker 0 died 5 times in a row, each time within 30 seconds of its start; the last one ended with code 7"
    )


async def test_worker_that_lived_for_a_while_is_forgiven_those_before_it(autojump_clock: MockClock) -> None:
    [post] = posts_of(1, has_admin=False)
    for _ in range(4):
        post.count_loss(Process(0, 0))
    process = Process(0, 0)
    await trio.sleep(31)
    assert post.count_loss(process) == ""
    assert post.failures == 0


async def test_admin_process_is_never_given_up() -> None:
    post = posts_of(0, has_admin=True)[-1]
    assert [post.count_loss(Process(0, 0)) for _ in range(20)] == [""] * 20


@pytest.mark.parametrize("has_admin", [False, True])
def test_there_is_no_admin_process_without_a_socket_for_it(has_admin: bool) -> None:
    assert len(posts_of(1, has_admin=has_admin)) == 1 + has_admin
