"""What a pool keeps, gives and closes."""

from s3proxy.http1.client.pool import Pool


class Connection:
    def __init__(self, *, quiet: bool = True) -> None:
        self.quiet = quiet
        self.is_closed = False

    def is_quiet(self) -> bool:
        return self.quiet

    def close(self) -> None:
        self.is_closed = True


def pool(max_idle: int = 3) -> Pool[Connection]:
    return Pool(max_idle=max_idle, idle_timeout_seconds=10)


def test_take_gives_the_connection_used_last() -> None:
    connections = pool()
    first, second = Connection(), Connection()
    connections.put(first, 0)
    connections.put(second, 1)

    assert [connections.take(2), connections.take(2), connections.take(2)] == [second, first, None]
    assert not first.is_closed
    assert not second.is_closed


def test_take_passes_over_connections_that_died_and_closes_them() -> None:
    connections = pool()
    quiet, dead = Connection(), Connection(quiet=False)
    connections.put(quiet, 0)
    connections.put(dead, 0)

    assert connections.take(1) is quiet
    assert dead.is_closed


def test_take_after_the_idle_timeout_closes_what_is_too_old() -> None:
    connections = pool()
    old, young = Connection(), Connection()
    connections.put(old, 0)
    connections.put(young, 5)

    assert connections.take(10) is young
    assert connections.take(10) is None
    assert (old.is_closed, young.is_closed) == (True, False)


def test_put_closes_what_is_too_old() -> None:
    connections = pool()
    old = Connection()
    connections.put(old, 0)
    connections.put(Connection(), 10)

    assert (old.is_closed, len(connections)) == (True, 1)


def test_put_into_a_full_pool_closes_the_one_that_waited_longest() -> None:
    connections = pool(max_idle=2)
    idle = [Connection() for _ in range(3)]
    for connection in idle:
        connections.put(connection, 0)

    assert [connection.is_closed for connection in idle] == [True, False, False]


def test_put_into_a_pool_of_none_closes() -> None:
    connections = pool(max_idle=0)
    connection = Connection()
    connections.put(connection, 0)

    assert (connection.is_closed, connections.take(0)) == (True, None)


def test_close_closes_all() -> None:
    connections = pool()
    idle = [Connection(), Connection()]
    for connection in idle:
        connections.put(connection, 0)
    connections.close()

    assert all(connection.is_closed for connection in idle)
    assert len(connections) == 0
