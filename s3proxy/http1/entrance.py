"""What comes before the first request on a connection: a balancer's word about the client, then TLS."""

import ssl
from dataclasses import dataclass, field

from s3proxy.http1.proxies import Proxies
from s3proxy.http1.proxy_protocol import ProxyHeaderError, header_length, parse_source
from s3proxy.http1.tls import TlsTransport, shared_buffer
from s3proxy.http1.transfer import SocketTransport


class HandshakeError(Exception):
    """A client that was not let in, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """How connections begin. The PROXY header comes before the handshake."""

    tls: ssl.SSLContext | None = None
    """Of a server; None for plain HTTP."""
    proxies: Proxies | None = None
    """Who must send a PROXY header; from anybody else it is a malformed request. None where nobody may."""
    _shared: memoryview = field(default_factory=shared_buffer, init=False, repr=False)

    async def enter(self, transport: SocketTransport, linger_seconds: float) -> SocketTransport:
        """Let a client in. Waits without a deadline: that is the caller's.

        Args:
            transport: fresh; taken over, and closed when this raises.
            linger_seconds: for the client to read why it was not let in.

        Returns:
            What leads to the client now.

        Raises:
            HandshakeError: the client broke a protocol, or did not prove who it is.
            ConnectionLostError: it has gone.
        """
        has_entered = False
        try:
            if self.proxies is not None and transport.peer in self.proxies:
                transport.peer = parse_source(await transport.receive_header(header_length)) or transport.peer
            if self.tls is not None:
                transport = secured = TlsTransport.over(transport, self.tls, self._shared)
                await secured.shake_hands()
            has_entered = True
        except ProxyHeaderError as error:
            raise HandshakeError(str(error)) from error
        except ssl.SSLError as error:
            await transport.finish(linger_seconds)  # the alert that says why would be lost in a reset
            raise HandshakeError(str(error)) from error
        finally:
            if not has_entered:
                transport.abort()
        return transport
