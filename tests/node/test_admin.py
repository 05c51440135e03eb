from pathlib import Path

import pytest
import trio

from s3proxy.admin.messages import CacheRequest, Shown
from s3proxy.admin.unix_socket import listening
from s3proxy.commands.admin_client import NodeError, NoNodeError, ask, connect
from s3proxy.config import AdminConfig
from s3proxy.node import admin
from s3proxy.node.admin import serve_cache_commands
from tests.node.configuring import all_tiers, configured, opened


def ask_status(path: Path) -> object:
    return list(ask(connect([path]), "status", CacheRequest()))[-1]


async def test_commands_are_answered_on_the_configured_socket_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(admin, "_RETRY_SECONDS", 0.01)
    path = tmp_path / "admin.sock"
    async with opened(configured(tmp_path / "root", cache={"read": "cache"}, **all_tiers(tmp_path))) as stores:
        assert stores.cache is not None
        async with trio.open_nursery() as nursery:
            with listening(path):  # by the worker before this one
                nursery.start_soon(serve_cache_commands, AdminConfig(socket=str(path)), 1, stores, stores.cache)
                await trio.sleep(0.1)
            with trio.fail_after(10):
                while not isinstance(await trio.to_thread.run_sync(_status_or_none, path), Shown):  # noqa: ASYNC110 (a client polls)
                    await trio.sleep(0.02)
            nursery.cancel_scope.cancel()
    assert capsys.readouterr().err.count("no cache commands: ") == 1
    assert not path.exists()


def _status_or_none(path: Path) -> object:
    try:
        return ask_status(path)
    except (NodeError, NoNodeError):
        return None
