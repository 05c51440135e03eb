"""The targets that stand before an under-store, and the one that is the under-store itself, as clients without a cache.

Fair means: the memory tier of each on the same tmpfs and of the same size, empty at the start of each turn; nothing is
revalidated; no access log. nginx has what its documentation advises: ``slice``, ``proxy_cache_lock`` (one request for
each slice, the others wait), kept connections to the store, large buffers, sendfile, no second copy of what
it stores (``use_temp_path=off``).
"""

import getpass
import os
import sys
from pathlib import Path

from bench.content import GIB
from bench.requests import Endpoint
from bench.targets import HOST, S3PROXY_READY, Place, Target, nginx_absence, nginx_program, s3proxy_absence

_MEMORY = 4 * GIB
_DISK = 8 * GIB
_FRESH_SECONDS = 3600

ADMIN_SOCKET = "admin"
"""Of our caches, in their scratch directory: where operators ask."""

_S3PROXY = """\
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
[memory_tier]
directory = "{memory}"
size = {memory_size}
[disk_tier]
directory = "{disk}"
size = {disk_size}
[log]
access = "off"
"""

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
    tcp_nopush off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=60s;
    client_body_temp_path {scratch}/nginx-body;
    proxy_temp_path {scratch}/nginx-proxy;
    fastcgi_temp_path {scratch}/nginx-fastcgi;
    uwsgi_temp_path {scratch}/nginx-uwsgi;
    scgi_temp_path {scratch}/nginx-scgi;
    proxy_cache_path {memory}/nginx levels=1:2 keys_zone=slices:64m max_size={memory_size} inactive=1d
                     use_temp_path=off;
    upstream store {{
        server {store};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {host}:{port} backlog=2048;
        location / {{
            slice {slice};
            proxy_cache slices;
            proxy_cache_key $uri$slice_range;
            proxy_set_header Range $slice_range;
            proxy_set_header Host {store};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache_valid 200 206 {fresh}s;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 60s;
            proxy_buffer_size 32k;
            proxy_buffers 16 256k;
            proxy_busy_buffers_size 512k;
            proxy_pass http://store;
        }}
    }}
}}
"""


def _s3proxy(place: Place, workers: int) -> list[str]:
    upstream, (memory, disk) = _needs(place)
    credentials = upstream.credentials
    text = _S3PROXY.format(
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
        fresh=_FRESH_SECONDS,
        memory=memory,
        memory_size=_MEMORY,
        disk=disk,
        disk_size=_DISK,
    )
    config = place.scratch / "s3proxy-cache.toml"
    config.write_text(text)
    return [sys.executable, "-m", "s3proxy", "serve", "--config", str(config)]


def _nginx(place: Place, size: str) -> list[str]:
    upstream, (memory, _) = _needs(place)
    text = _NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        scratch=place.scratch,
        memory=memory,
        memory_size=_MEMORY,
        store=upstream.authority,
        host=HOST,
        port=place.port,
        slice=size,
        fresh=_FRESH_SECONDS,
    )
    config = place.scratch / "nginx-slice.conf"
    config.write_text(text)
    return [str(nginx_program()), "-p", str(place.scratch), "-c", str(config)]


def _needs(place: Place) -> tuple[Endpoint, tuple[Path, Path]]:
    assert place.upstream is not None
    assert place.tiers is not None
    return place.upstream, place.tiers


CACHES = (
    Target(
        name="s3proxy-cache",
        summary="cache with a memory and a disk tier, one worker",
        absence=s3proxy_absence,
        command=lambda place: _s3proxy(place, 1),
        caches=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="s3proxy-cache-2w",
        summary="the same with two workers",
        absence=s3proxy_absence,
        command=lambda place: _s3proxy(place, 2),
        caches=True,
        ready=S3PROXY_READY,
    ),
    Target(
        name="direct",
        summary="no cache: the client reads the under-store",
        absence=lambda: None,
        command=None,
        caches=True,
    ),
    Target(
        name="nginx-slice-1m",
        summary="proxy_cache with slices of 1 MiB, one worker",
        absence=nginx_absence,
        command=lambda place: _nginx(place, "1m"),
        speaks_s3=False,
        caches=True,
    ),
    Target(
        name="nginx-slice-4m",
        summary="the same with slices of 4 MiB",
        absence=nginx_absence,
        command=lambda place: _nginx(place, "4m"),
        speaks_s3=False,
        caches=True,
    ),
)

NGINX_SLICES = ("nginx-slice-1m", "nginx-slice-4m")
"""The faster of them counts."""
