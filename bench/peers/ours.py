"""Our own server: over the directory, and as a cache before an under-store."""

import getpass
import importlib.util
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from bench.certificates import CERTIFICATE
from bench.content import GIB
from bench.signing import Credentials
from bench.targets import CREDENTIALS, HOST, Place, Target

S3PROXY_READY = b"s3proxy ready on "

DISK_SIZE = 8 * GIB
FRESH_SECONDS = 3600
"""How long every cache takes what it has for unchanged."""

ADMIN_SOCKET = "admin"
"""Of our caches, in their scratch directory: where operators ask."""

_SERVER = """\
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

_TLS = """\
[tls]
certificate_file = "{certificate}"
key_file = "{certificate}"
"""

_CACHE = """\
[server]
listen = "{host}:{port}"
drain_seconds = 1
workers = {workers}
[admin]
listen = ""
socket = "{scratch}/{admin_socket}"
[store]
kind = "s3"
endpoint = "http://{store}"
region = "{region}"
access_key = "{access_key}"
secret_key = "{secret_key}"
[cache]
metadata_ttl_seconds = {fresh}
[log]
access = "off"
"""

_TIER = """\
[{kind}_tier]
directory = "{directory}"
size = {size}
"""


def s3proxy_absence() -> str | None:
    """Why our server cannot run here, or None."""
    missing = importlib.util.find_spec("s3proxy") is None or importlib.util.find_spec("s3proxy.__main__") is None
    return "the package s3proxy is not importable" if missing else None


def s3proxy_version() -> str:
    """What is installed as ours."""
    try:
        return f"s3proxy {version('s3proxy')}"
    except PackageNotFoundError:
        return ""


def _server(
    place: Place,
    credentials: Credentials | None = None,
    *,
    fsync: bool = True,
    workers: int = 1,
    speaks_tls: bool = False,
) -> list[str]:
    mode = "signature" if credentials else "open"
    text = _SERVER.format(mode=mode, fsync=str(fsync).lower(), workers=workers)
    if credentials:  # the same owner as in open mode, so that both see the same buckets
        text += _USER.format(
            access_key=credentials.access_key, secret_key=credentials.secret_key, owner=getpass.getuser()
        )
    if speaks_tls:
        text += _TLS.format(certificate=place.scratch / CERTIFICATE)
    config = place.scratch / "s3proxy.toml"
    config.write_text(text)
    listen = f"{HOST}:{place.port}"
    serve = ["serve", "--root", str(place.root), "--listen", listen, "--config", str(config)]
    return [sys.executable, "-m", "s3proxy", *serve]


def _cache(place: Place, tiers: tuple[str, ...], workers: int = 1) -> list[str]:
    upstream, (memory, disk) = place.needs
    credentials = upstream.credentials
    text = _CACHE.format(
        host=HOST,
        port=place.port,
        workers=workers,
        scratch=place.scratch,
        admin_socket=ADMIN_SOCKET,
        store=upstream.authority,
        region=credentials.region if credentials else "us-east-1",
        # A server in open mode owns what it makes by the name of its user.
        access_key=credentials.access_key if credentials else getpass.getuser(),
        secret_key=credentials.secret_key if credentials else "unchecked",
        fresh=FRESH_SECONDS,
    )
    places = {"memory": (memory, place.memory_size), "disk": (disk, DISK_SIZE)}
    for kind in tiers:
        directory, size = places[kind]
        text += _TIER.format(kind=kind, directory=directory, size=size)
    config = place.scratch / "s3proxy-cache.toml"
    config.write_text(text)
    return [sys.executable, "-m", "s3proxy", "serve", "--config", str(config)]


OUR_SERVERS = (
    Target(
        name="s3proxy",
        summary="open authentication, fsync on",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=_server,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-2w",
        summary="the same with two workers",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_server, workers=2),
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-signed",
        summary="every request with a Signature Version 4, fsync on",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_server, credentials=CREDENTIALS),
        credentials=CREDENTIALS,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-tls",
        summary="open authentication over TLS, fsync on",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_server, speaks_tls=True),
        speaks_tls=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-nofsync",
        summary="open authentication, fsync off",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_server, fsync=False),
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-signed-nofsync",
        summary="every request with a Signature Version 4, fsync off",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_server, credentials=CREDENTIALS, fsync=False),
        credentials=CREDENTIALS,
        ready=S3PROXY_READY,
    ),
)

OUR_CACHES = (
    Target(
        name="s3proxy-cache",
        summary="cache with a memory and a disk tier, one worker",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_cache, tiers=("memory", "disk")),
        caches=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-cache-2w",
        summary="the same with two workers",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_cache, tiers=("memory", "disk"), workers=2),
        caches=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-memory",
        summary="cache with a memory tier alone, one worker",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_cache, tiers=("memory",)),
        caches=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-disk",
        summary="cache with a disk tier alone, one worker",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_cache, tiers=("disk",)),
        caches=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-through",
        summary="no tier: everything is read from the under-store, one worker",
        absence=s3proxy_absence,
        version=s3proxy_version,
        command=partial(_cache, tiers=()),
        caches=True,
        ready=S3PROXY_READY,
    ),
)
