"""The servers: how each is started over the same directory, fairly configured, and stopped.

A target that is not installed is named as absent; none is faked. Fair means: one serving process (a supervisor beside
it is counted with it), no access log, keep-alive without end, and for nginx what its documentation advises for static
files (sendfile, open_file_cache) with tcp_nopush both ways, and request bodies written in pieces of 1 MiB.
"""

import getpass
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench import BenchError
from bench.measure import running_on
from bench.requests import Endpoint
from bench.signing import Credentials
from bench.tiers import disk_directory, memory_directory

HOST = "127.0.0.1"
_START_SECONDS = 30
_STOP_SECONDS = 15
_CREDENTIALS = Credentials(access_key="AKBENCHBENCHBENCH234", secret_key="only-for-the-bench-on-loopback")  # noqa: S106


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The under-store as a cache, or the client in place of one, reaches it. ``pid`` is the store's process."""

    endpoint: Endpoint
    pid: int
    relay_pid: int | None = None
    """Of the relay before it that counts; see ``bench.understore``."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Of all that stands behind a cache."""
        return (self.pid,) if self.relay_pid is None else (self.pid, self.relay_pid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server finds and leaves things: the root of the buckets, a directory of its own, its port."""

    root: Path
    scratch: Path
    port: int
    upstream: Endpoint | None = None
    """Of a cache: the store that it asks."""
    tiers: tuple[Path, Path] | None = None
    """Of a cache: an empty directory in memory and one on a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One way to serve the files."""

    name: str
    summary: str
    absence: Callable[[], str | None]
    """Why it cannot run here, or None when it can."""
    command: Callable[[Place], list[str]] | None
    """Writes the configuration and gives the command; the server stays in the foreground. None: it is the under-store
    itself."""
    credentials: Credentials | None = None
    speaks_s3: bool = True
    caches: bool = False
    """Whether it stands before an under-store; only cases with a ``Link`` have one."""
    ready: bytes = b""
    """What it writes when all of it serves; nothing where a connection that is accepted means that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A target that accepts connections. ``pid`` is that of the process at the head of it."""

    target: Target
    endpoint: Endpoint
    pid: int
    upstream: Upstream | None = None

    @property
    def store_pids(self) -> tuple[int, ...]:
        """The processes behind it."""
        return self.upstream.pids if self.upstream else ()


@contextmanager
def started(
    target: Target, root: Path, scratch: Path, cores: Set[int], upstream: Upstream | None = None
) -> Iterator[Server]:
    """Start a target over ``root`` or ``upstream`` on ``cores``, wait until it accepts, and stop it at the end.

    A cache begins empty. For the target that is the under-store itself nothing is started.

    Raises:
        BenchError: it ended, or did not accept in time; with the last lines that it wrote.
    """
    if target.command is None:
        assert upstream is not None, target.name
        yield Server(target=target, endpoint=upstream.endpoint, pid=upstream.pid, upstream=upstream)
        return
    with ExitStack() as stack:
        place = Place(root=root, scratch=scratch, port=free_port())
        if upstream is not None:
            tiers = stack.enter_context(memory_directory(scratch)), stack.enter_context(disk_directory(scratch))
            place = replace(place, upstream=upstream.endpoint, tiers=tiers)
        with _running(target, target.command(place), place, cores) as pid:
            endpoint = Endpoint(host=HOST, port=place.port, credentials=target.credentials)
            yield Server(target=target, endpoint=endpoint, pid=pid, upstream=upstream)


@contextmanager
def _running(target: Target, command: list[str], place: Place, cores: Set[int]) -> Iterator[int]:
    log = place.scratch / f"{target.name}.log"
    with log.open("wb") as output, running_on(cores):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_ready(process, place.port, log, target.ready)
        yield process.pid
        if process.poll() is not None:
            raise BenchError(f"ended with code {process.returncode}: {_last_lines(log)}")
    finally:
        _stop(process)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, ready: bytes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            if ready in log.read_bytes():
                return
        time.sleep(0.02)
    raise BenchError(f"did not start: {_last_lines(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "it wrote nothing"


S3PROXY_READY = b"s3proxy ready on "

_S3PROXY = """\
[server]
drain_seconds = 1
workers = {workers}
[admin]
listen = ""
[auth]
mode = "{mode}"
[store]
fsync = {fsync}
[log]
access = "off"
"""

_USER = """\
[[users]]
name = "bench"
access_key = "{access_key}"
secret_key = "{secret_key}"
id = "{owner}"
"""


def s3proxy_absence() -> str | None:
    """Why our server cannot run here, or None."""
    missing = importlib.util.find_spec("s3proxy") is None or importlib.util.find_spec("s3proxy.__main__") is None
    return "the package s3proxy is not importable" if missing else None


def _s3proxy_command(
    place: Place, credentials: Credentials | None = None, *, fsync: bool = True, workers: int = 1
) -> list[str]:
    mode = "signature" if credentials else "open"
    text = _S3PROXY.format(mode=mode, fsync=str(fsync).lower(), workers=workers)
    if credentials:  # the same owner as in open mode, so that both see the same buckets
        text += _USER.format(
            access_key=credentials.access_key, secret_key=credentials.secret_key, owner=getpass.getuser()
        )
    config = place.scratch / "s3proxy.toml"
    config.write_text(text)
    listen = f"{HOST}:{place.port}"
    serve = ["serve", "--root", str(place.root), "--listen", listen, "--config", str(config)]
    return [sys.executable, "-m", "s3proxy", *serve]


_NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {scratch}/nginx.pid;
error_log {scratch}/nginx-error.log warn;
events {{ worker_connections 8192; }}
http {{
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    tcp_nopush {nopush};
    tcp_nodelay on;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=60s;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path {scratch}/nginx-body;
    proxy_temp_path {scratch}/nginx-proxy;
    fastcgi_temp_path {scratch}/nginx-fastcgi;
    uwsgi_temp_path {scratch}/nginx-uwsgi;
    scgi_temp_path {scratch}/nginx-scgi;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        root {root};
        location / {{ dav_methods PUT; create_full_put_path on; }}
        location ~ ^/[^/]+$ {{ return 200 "<Tagging><TagSet/></Tagging>"; }}  # a cache asks whose the bucket is
    }}
}}
"""


def nginx_program() -> str | None:
    """Where nginx is; Debian keeps it out of a user's PATH."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def nginx_absence() -> str | None:
    """Why nginx cannot run here, or None."""
    return None if nginx_program() else "nginx is not installed (on Debian: apt install nginx-light)"


def _nginx_command(place: Place, *, nopush: str = "on") -> list[str]:
    # As root nginx would hand its worker to www-data, who cannot read the files.
    user = "user root;" if os.geteuid() == 0 else ""
    config = place.scratch / "nginx.conf"
    config.write_text(_NGINX.format(user=user, scratch=place.scratch, root=place.root, port=place.port, nopush=nopush))
    return [str(nginx_program()), "-p", str(place.scratch), "-c", str(config)]


SERVERS = (
    Target(
        name="s3proxy",
        summary="open authentication, fsync on",
        absence=s3proxy_absence,
        command=_s3proxy_command,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-2w",
        summary="the same with two workers",
        absence=s3proxy_absence,
        command=lambda place: _s3proxy_command(place, workers=2),
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-signed",
        summary="every request with a Signature Version 4, fsync on",
        absence=s3proxy_absence,
        command=lambda place: _s3proxy_command(place, _CREDENTIALS),
        credentials=_CREDENTIALS,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-nofsync",
        summary="open authentication, fsync off",
        absence=s3proxy_absence,
        command=lambda place: _s3proxy_command(place, fsync=False),
        ready=S3PROXY_READY,
    ),
    Target(
        name="nginx",
        summary="static files by sendfile, tcp_nopush on; PUT by its DAV module, which neither hashes nor syncs",
        absence=nginx_absence,
        command=_nginx_command,
        speaks_s3=False,
    ),
    Target(
        name="nginx-uncorked",
        summary="the same with tcp_nopush off",
        absence=nginx_absence,
        command=lambda place: _nginx_command(place, nopush="off"),
        speaks_s3=False,
    ),
)

# Debian's nginx.conf and most advice say tcp_nopush on. It helps small files, but may halve the rate of 1 MiB ones and
# lets a client that delays its ACKs wait 40 ms for the end of some ranges; so both are measured, and the faster counts.
NGINXES = ("nginx", "nginx-uncorked")
