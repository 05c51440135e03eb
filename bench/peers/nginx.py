"""nginx: static files beside our server, ``proxy_cache`` with slices beside our cache.

Each has what its documentation advises: sendfile and ``open_file_cache`` for static files, request bodies written in
pieces of 1 MiB; for the cache ``slice``, ``proxy_cache_lock`` (one request for each slice, the others wait), kept
connections to the store, large buffers, and no second copy of what it stores (``use_temp_path=off``).
"""

import os
from functools import partial

from bench.certificates import CERTIFICATE
from bench.peers.ours import FRESH_SECONDS
from bench.peers.programs import absence_of, program, version_said
from bench.targets import HOST, Place, Target

_MAIN = """\
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
    tcp_nodelay on;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=60s;
    client_body_temp_path {scratch}/nginx-body;
    proxy_temp_path {scratch}/nginx-proxy;
    fastcgi_temp_path {scratch}/nginx-fastcgi;
    uwsgi_temp_path {scratch}/nginx-uwsgi;
    scgi_temp_path {scratch}/nginx-scgi;
    {http}
}}
"""

_STATIC = """
    tcp_nopush {nopush};
    client_max_body_size 0;
    client_body_buffer_size 1m;
    server {{
        listen 127.0.0.1:{port} {tls} backlog=2048;
        root {root};
        location / {{ dav_methods PUT; create_full_put_path on; }}
        location ~ ^/[^/]+$ {{ return 200 "<Tagging><TagSet/></Tagging>"; }}  # a cache asks whose the bucket is
    }}
"""

_CERTIFIED = """
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
"""

_SLICED = """
    tcp_nopush off;
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
"""


def nginx_program() -> str | None:
    """Where nginx is."""
    return program("nginx")


def _absence() -> str | None:
    return absence_of("nginx", package="nginx-light")


def _static(place: Place, *, nopush: str = "on", speaks_tls: bool = False) -> list[str]:
    http = _STATIC.format(nopush=nopush, port=place.port, root=place.root, tls="ssl" if speaks_tls else "")
    if speaks_tls:
        http += _CERTIFIED.format(certificate=place.scratch / CERTIFICATE)
    return _nginx(place, http)


def _sliced(place: Place, size: str) -> list[str]:
    upstream, (memory, _) = place.needs
    http = _SLICED.format(
        memory=memory,
        memory_size=place.memory_size,
        store=upstream.authority,
        host=HOST,
        port=place.port,
        slice=size,
        fresh=FRESH_SECONDS,
    )
    return _nginx(place, http)


def _nginx(place: Place, http: str) -> list[str]:
    # As root nginx would hand its worker to www-data, who cannot read the files.
    user = "user root;" if os.geteuid() == 0 else ""
    config = place.scratch / "nginx.conf"
    config.write_text(_MAIN.format(user=user, scratch=place.scratch, http=http))
    return [str(nginx_program()), "-p", str(place.scratch), "-c", str(config)]


_VERSION = partial(version_said, "nginx", "-v")

NGINX_SERVERS = (
    Target(
        name="nginx",
        summary="static files by sendfile, tcp_nopush on; PUT by its DAV module, which neither hashes nor syncs",
        absence=_absence,
        version=_VERSION,
        command=_static,
        speaks_s3=False,
    ),
    Target(
        name="nginx-uncorked",
        summary="the same with tcp_nopush off",
        absence=_absence,
        version=_VERSION,
        command=partial(_static, nopush="off"),
        speaks_s3=False,
    ),
    Target(
        name="nginx-tls",
        summary="static files over TLS",
        absence=_absence,
        version=_VERSION,
        command=partial(_static, speaks_tls=True),
        speaks_s3=False,
        speaks_tls=True,
    ),
)

NGINX_CACHES = (
    Target(
        name="nginx-slice-1m",
        summary="proxy_cache with slices of 1 MiB, one worker",
        absence=_absence,
        version=_VERSION,
        command=partial(_sliced, size="1m"),
        speaks_s3=False,
        caches=True,
    ),
    Target(
        name="nginx-slice-4m",
        summary="the same with slices of 4 MiB",
        absence=_absence,
        version=_VERSION,
        command=partial(_sliced, size="4m"),
        speaks_s3=False,
        caches=True,
    ),
)
