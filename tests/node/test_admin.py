import socket
from contextlib import closing
from pathlib import Path

import pytest

from s3proxy.node.admin import serve_admin_plane
from s3proxy.node.commons import Seat, made
from s3proxy.node.failures import StartError
from tests.node.configuring import configured


async def test_socket_that_a_service_manager_opened_to_a_network_needs_a_token(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", admin={"listen": ""})
    with made(config, 1) as commons, closing(socket.create_server(("0.0.0.0", 0))) as listener:  # noqa: S104 (what must not be)
        seat = Seat(
            worker=1, workers=1, sockets=(), shared=commons.shared, tiers=commons.tiers, table=commons.table,
            admin_sockets=[listener],
        )  # fmt: skip
        with pytest.raises(StartError, match=r"admin\.token"):
            await serve_admin_plane(config, seat, lambda: None)
