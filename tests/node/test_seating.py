import json
import os
import socket
from pathlib import Path

import pytest

from s3proxy.cache.counters import Counter
from s3proxy.metrics.meters import Total
from s3proxy.node.commons import made
from s3proxy.node.failures import StartError
from s3proxy.node.seating import Place, encode_seat, inherited, take_seat
from tests.node.configuring import configured, tier


def test_process_gets_what_the_supervisor_has(tmp_path: Path) -> None:
    config = configured(
        tmp_path / "root",
        users=[{"name": "ann", "access_key": "AKANN", "secret_key": "a secret of ann"}],
        disk_tier=tier(tmp_path / "disk"),
    )
    with (
        made(config, 2) as commons,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(("127.0.0.1", 0)) as admin,
    ):
        place = Place(worker=1, workers=2, row=4, sockets=[listener], admin_sockets=[admin], addresses=["127.0.0.1:5"])
        line = encode_seat(config, commons, place)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        # A worker has the same numbers; this process needs copies, for the seat takes them over.
        content = json.loads(line)
        for name in ("shared", "meters", "reports", "pulse", "progress", "history"):
            content[name] = os.dup(content[name])
        for name in ("sockets", "admin_sockets"):
            content[name] = [os.dup(fd) for fd in content[name]]
        got, seat = take_seat(json.dumps(content).encode())
        assert got == config
        assert (seat.worker, seat.workers, seat.tiers, seat.table) == (1, 2, ("disk",), commons.table)
        assert seat.sockets[0].getsockname() == listener.getsockname()
        assert seat.admin_sockets[0].getsockname() == admin.getsockname()
        seat.shared.add(Counter.HITS, 3)
        assert commons.shared.total(Counter.HITS) == 3
        seat.meters.add(Total.LOCAL_BYTES, 5)
        assert commons.meters.read().totals[Total.LOCAL_BYTES] == 5
        seat.reports.publish(b"report")
        assert commons.reports.read_all() == [b"report"]
        assert seat.addresses == ["127.0.0.1:5"]
        commons.progress.publish(b"progress")
        assert seat.progress.read_own() == b"progress"
        assert seat.history is not None
        assert os.fstat(seat.history).st_ino == os.fstat(commons.history).st_ino
        commons.pulse.begin_draining()
        assert seat.is_draining
        seat.shared.close()
        seat.meters.close()
        seat.reports.close()
        seat.pulse.close()
        seat.progress.close()
        os.close(seat.history)
        seat.sockets[0].close()
        seat.admin_sockets[0].close()


def test_seat_of_a_program_that_shares_memory_in_another_way_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path / "root")
    with made(config, 1) as commons:
        content = json.loads(encode_seat(config, commons, Place(worker=0, workers=1, row=0, sockets=())))
    with pytest.raises(StartError, match="restart the service"):
        take_seat(json.dumps(content | {"layout": "another"}).encode())


def test_process_inherits_sockets_words_locks_and_a_table_without_a_name(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", disk_tier=tier(tmp_path / "disk"))
    with made(config, 2) as commons, socket.create_server(("127.0.0.1", 0)) as listener:
        fds = set(inherited(commons, [listener]))
        assert {commons.shared.fd, commons.meters.fd, commons.reports.fd, commons.pulse.fd} < fds
        assert {commons.progress.fd, commons.history} < fds
        assert {commons.table_fd, *commons.locks, listener.fileno()} < fds
        assert len(fds) == 9
        assert len(commons.locks) == 1
