import os
import socket
from pathlib import Path

import pytest

from s3proxy.admin.unix_socket import ListenError, listening


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(str(path))


def leave_stale(path: Path) -> None:
    """As a node that was killed leaves it: a socket file on which nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))


def test_listening_accepts_connections_of_its_own_user_only_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    mask = os.umask(0)
    try:
        with listening(path):
            assert path.stat().st_mode & 0o777 == 0o600
            connect(path)
    finally:
        os.umask(mask)
    assert os.listdir(tmp_path) == []


def test_listening_replaces_a_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    leave_stale(path)
    with listening(path):
        connect(path)


def test_listening_where_a_node_lives_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with listening(path):
        with pytest.raises(ListenError, match="another s3proxy"), listening(path):
            pass
        connect(path)


def test_listening_where_a_file_lies_is_refused_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("precious")
    with pytest.raises(ListenError, match="no socket"), listening(path):
        pass
    assert path.read_text() == "precious"


def test_listening_at_too_long_a_path_says_so(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="shorter"), listening(tmp_path / ("x" * 120)):
        pass


def test_listening_in_a_missing_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="No such file"), listening(tmp_path / "absent" / "socket"):
        pass
    assert os.listdir(tmp_path) == []


def test_listening_at_its_end_leaves_the_socket_of_a_successor(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with listening(path):
        path.unlink()
        leave_stale(path)
    assert path.exists()
