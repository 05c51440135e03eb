"""A real server that is watched from outside, and the environment of the programs that are its clients."""

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests import server
from tests.nodes import Under, merged
from tests.signing import Keys

ANN = Keys("AKANN0000000000", "the secret of ann, for tests only")
BOB = Keys("AKBOB0000000000", "the secret of bob, for tests only")

DOMAIN = "s3.test"

_PATIENCE_SECONDS = 5
"""Some clients keep connections for ever, or open one and send nothing on it; after so long the server closes them, and
what it holds can be counted."""


class WatchedServer:
    """A node with its default settings, but for its patience and a domain.

    *Closes:* whoever makes one calls ``check_and_stop``.
    """

    def __init__(self, directory: Path, under: Under, *, users: Sequence[Keys] = ()) -> None:
        table: dict[str, object] = {
            "domains": [DOMAIN],
            "head_timeout_seconds": _PATIENCE_SECONDS,
            "idle_timeout_seconds": _PATIENCE_SECONDS,
        }
        settings = merged({"server": table, "store": {"fsync": True}}, under.settings(directory))
        self._server = server.start(directory / "root", directory, users=users, settings=settings)
        self._store = under.store
        self._kept = [f"{self._server.root}/bucket-", f"{directory}/memory_tier/", f"{directory}/disk_tier/"]
        self._access_log, self._output = self._server.logs
        self._held_at_start = self._held_when_settled()
        self.root = self._server.root
        self.address = f"127.0.0.1:{self._server.port}"
        self.url = f"http://{self.address}"

    def said(self) -> str:
        """What it wrote to standard error so far."""
        return self._output.read_text()

    def logged(self) -> str:
        """Its access log so far; a line appears a fraction of a second after the answer."""
        return self._access_log.read_text()

    def check_and_stop(self) -> None:
        """Assert that it holds open only what it did at first, ends as it should, and complained of nothing."""
        try:
            wait_until(lambda: not self._newly_held(), seconds=_PATIENCE_SECONDS + 5)
            assert self._newly_held() == []
        finally:
            code = self._server.stop()
        assert code == 0
        assert "Traceback" not in self.said(), self.said()

    def _held_when_settled(self) -> list[str]:
        """What it holds once all that it does in the background has begun, such as serving its admin socket."""
        before: list[str] = []
        while before != (held := self._held()):
            before = held
            time.sleep(0.3)
        return held

    def _newly_held(self) -> list[str]:
        held = self._held()
        for each in self._held_at_start:
            if each in held:
                held.remove(each)
        return held

    def _held(self) -> list[str]:
        """What its descriptors lead to, sockets without their numbers.

        The directories of buckets, blocks and connections to the store stay open on purpose, up to a number.
        """
        pooled = set() if self._store is None else _sockets_to(urlsplit(self._store.endpoint).port or 80)
        found = []
        for pid in (self._server.pid, *self._server.workers()):
            for each in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    found.append(str(each.readlink()))
                except FileNotFoundError:  # closed between the two calls
                    continue
        kept = [target for target in found if target not in pooled and not target.startswith(tuple(self._kept))]
        return [re.sub(r":\[\d+\]$", "", target) for target in kept]


def _sockets_to(port: int) -> set[str]:
    """What the descriptors of connections to a port of this machine lead to."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return {f"socket:[{fields[9]}]" for fields in lines if fields[2] == f"0100007F:{port:04X}"}


def wait_until(happened: Callable[[], object], *, seconds: float) -> None:
    """Return when ``happened`` is true, or after so many seconds anyway."""
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)


def client_environment(url: str, keys: Keys = ANN) -> dict[str, str]:
    """The environment of a client program: the endpoint and the keys, and none of this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
