import json
import os
import socket
from pathlib import Path

from s3proxy.cache.counters import Counter
from s3proxy.node.commons import made
from s3proxy.node.seating import encode_seat, inherited, take_seat
from tests.node.configuring import configured, tier


def test_worker_gets_what_the_supervisor_has(tmp_path: Path) -> None:
    config = configured(
        tmp_path / "root",
        users=[{"name": "ann", "access_key": "AKANN", "secret_key": "a secret of ann"}],
        disk_tier=tier(tmp_path / "disk"),
    )
    with made(config, 2) as commons, socket.create_server(("127.0.0.1", 0)) as listener:
        line = encode_seat(config, commons, [listener], worker=1, workers=2)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        # A worker has the same numbers; this process needs copies, for the seat takes them over.
        content = json.loads(line)
        content["shared"] = os.dup(content["shared"])
        content["sockets"] = [os.dup(fd) for fd in content["sockets"]]
        line = json.dumps(content).encode()
        got, seat = take_seat(line)
        assert got == config
        assert (seat.worker, seat.workers, seat.tiers, seat.table) == (1, 2, ("disk",), commons.table)
        assert seat.sockets[0].getsockname() == listener.getsockname()
        seat.shared.add(Counter.HITS, 3)
        assert commons.shared.total(Counter.HITS) == 3
        seat.shared.close()
        seat.sockets[0].close()


def test_worker_inherits_sockets_words_locks_and_a_table_without_a_name(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", disk_tier=tier(tmp_path / "disk"))
    with made(config, 2) as commons, socket.create_server(("127.0.0.1", 0)) as listener:
        fds = inherited(commons, [listener])
        assert set(fds) == {commons.shared.fd, commons.table_fd, *commons.locks, listener.fileno()}
        assert len(commons.locks) == 1
