"""What may stand between a client and a node: a relay of bytes, and real balancers where they are installed."""

import selectors
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_START_SECONDS = 10

HAPROXY = """
global
    maxconn 200
defaults
    mode {mode}
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen node
    bind 127.0.0.1:{port}{certificate}
    {options}
    server node 127.0.0.1:{node}{sending}
"""

NGINX = """
daemon off;
error_log stderr crit;
pid {directory}/pid;
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port}{certificate};
        client_max_body_size 0;
        location / {{
            proxy_pass http://127.0.0.1:{node};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


@contextmanager
def relay(node: int, introduction: bytes = b"") -> Iterator[int]:
    """Pass bytes on to a port of this machine, behind an introduction; the port of the relay."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, node, introduction), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, node: int, introduction: bytes) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_pass_on, args=(client, node, introduction), daemon=True).start()


def _pass_on(client: socket.socket, node: int, introduction: bytes) -> None:
    with client, socket.create_connection(("127.0.0.1", node)) as server, selectors.DefaultSelector() as ready:
        server.sendall(introduction)
        ready.register(client, selectors.EVENT_READ, (client, server))
        ready.register(server, selectors.EVENT_READ, (server, client))
        with suppress(OSError):
            while True:
                for key, _ in ready.select():
                    source, target = key.data
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)


@contextmanager
def haproxy(
    directory: Path, node: int, *, certificate: Path | None = None, mode: str = "http", sending: str = ""
) -> Iterator[int]:
    """HAProxy in front of a node.

    Args:
        directory: of its own, for its configuration.
        node: the port.
        certificate: a bundle, to speak TLS with clients.
        mode: ``http`` or ``tcp``.
        sending: what it says on each connection, ``send-proxy-v2`` say.
    """
    port = _free_port()
    text = HAPROXY.format(
        mode=mode,
        port=port,
        node=node,
        certificate=f" ssl crt {certificate}" if certificate else "",
        options="option forwardfor" if mode == "http" else "",
        sending=f" {sending}" if sending else "",
    )
    (directory / "haproxy.cfg").write_text(text)
    with _running(["haproxy", "-db", "-q", "-f", str(directory / "haproxy.cfg")], port):
        yield port


@contextmanager
def nginx(directory: Path, node: int, *, certificate: Path | None = None) -> Iterator[int]:
    """Nginx in front of a node."""
    port = _free_port()
    lines = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}" if certificate else ""
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, port=port, node=node, certificate=lines))
    with _running(["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf")], port):
        yield port


def is_installed(balancer: str) -> bool:
    """Whether there is one to be tested."""
    return shutil.which(balancer) is not None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_for(process, port)
        yield
    finally:
        process.terminate()
        _, said = process.communicate(timeout=_START_SECONDS)
        assert said == b""


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    stop = time.monotonic() + _START_SECONDS
    while time.monotonic() < stop and process.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("it does not listen")
