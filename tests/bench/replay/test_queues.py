"""A queue with weights."""

from bench.replay.queues import Queue


def test_queue_gives_what_joined_first_and_adds_weights_up() -> None:
    queue = Queue()
    for name, weight in ((1, 10), (2, 20), (3, 30)):
        queue.join(name, weight)
    queue.renew(1)
    queue.reweigh(2, 25)
    assert (list(queue), queue.weight, queue.first) == ([2, 3, 1], 65, 2)
    assert queue.leave_first() == (2, 25)
    assert queue.leave(1) == 10
    assert (len(queue), 3 in queue, 1 in queue, queue.weight) == (1, True, False, 30)
