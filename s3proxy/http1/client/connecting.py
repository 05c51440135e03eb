"""Connections to a server: name, TCP, TLS, within one deadline."""

import socket
import ssl

import trio

from s3proxy.http1.client.origin import ClientLimits, Origin
from s3proxy.http1.client.wire import TlsWire, Wire
from s3proxy.http1.congestion import unpace_within_machine
from s3proxy.http1.messages import ConnectionLostError


class NotSentError(ConnectionLostError):
    """The server was not reached, so it surely acted on nothing: the request may be repeated, whatever it is."""


async def connect(origin: Origin, limits: ClientLimits) -> Wire:
    """Connect to a server.

    Raises:
        NotSentError: no address of it could be reached in time, or it did not prove who it is.
    """
    with trio.move_on_after(limits.connect_timeout_seconds):
        try:
            return await _connect(origin, limits.stall_timeout_seconds)
        except ssl.SSLCertVerificationError as error:
            raise NotSentError(
                f"{origin.host}:{origin.port} has a certificate that is not trusted: {error.verify_message.rstrip('.')}"
            ) from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no name
            raise NotSentError(f"{origin.host}:{origin.port} cannot be reached: {error}") from error
    raise NotSentError(f"{origin.host}:{origin.port} did not answer for {limits.connect_timeout_seconds:g} s")


async def _connect(origin: Origin, stall_seconds: float) -> Wire:
    sock = await _connect_socket(origin)
    if origin.tls is None:
        return Wire(sock, stall_seconds=stall_seconds)
    return TlsWire(await _shake_hands(sock, origin.tls, origin.host), stall_seconds=stall_seconds)


async def _connect_socket(origin: Origin) -> socket.socket:
    # This sets TCP_NODELAY, and TCP_NOTSENT_LOWAT to 16 KiB: with that a GiB is uploaded over loopback for 0.13 s of
    # CPU, without for 0.30, as the bytes are still in the processor's cache when the kernel sends them.
    stream = await trio.open_tcp_stream(origin.host, origin.port)
    # From here on a plain socket, so that a system call can be tried before a wait is arranged.
    connected = stream.socket
    sock = socket.socket(connected.family, connected.type, connected.proto, fileno=connected.detach())
    sock.setblocking(False)
    unpace_within_machine(sock)
    return sock


async def _shake_hands(sock: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Put TLS on a socket; closes it when that fails."""
    held = sock
    try:
        # Ragged ends are not suppressed: whoever can cut a connection could otherwise shorten a body without a length.
        held = secured = context.wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(secured)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(secured)
            else:
                return secured
    except BaseException:
        held.close()
        raise
