"""The node's admin plane as a client sees it: one request on a Unix socket, answered by messages as they come."""

import http.client
import socket
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from s3proxy.admin.messages import CacheRequest, Message, decode, encode_request

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 30.0
"""The node sends something at least every few seconds, whatever it does."""


_MOST_BYTES = 2**20
"""Of an answer that is read at once."""


class NoNodeError(Exception):
    """No node listens on any of the sockets that were tried; the message says on which."""


class NodeError(Exception):
    """The node went away, or what answers is no s3proxy; the message is a sentence."""


def connect(paths: Sequence[Path]) -> socket.socket:
    """Connect to the first of these sockets on which a node listens.

    Raises:
        NoNodeError: there is none.
    """
    tried = []
    for path in paths:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_CONNECT_SECONDS)
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            tried.append(f"{path} ({error.strerror or error})")
        else:
            connection.settimeout(_SILENCE_SECONDS)
            return connection
    raise NoNodeError(f"no node is running here; tried {', '.join(tried)}")


def ask(connection: socket.socket, command: str, request: CacheRequest) -> Generator[Message, None, None]:
    """Have the node do ``command``; gives what it says, up to the end of what it says.

    *Closes:* the connection, at the end or when the generator is closed, which cancels the command.

    Raises:
        NodeError: the node went away or fell silent.
    """
    with connection, closing(http.client.HTTPConnection("localhost")) as http_connection:
        http_connection.sock = connection
        try:
            http_connection.request("POST", f"/cache/{command}", encode_request(request))
            with http_connection.getresponse() as response:
                while line := response.readline():
                    if line.strip() and (message := decode(line)) is not None:
                        yield message
        except TimeoutError as error:
            raise NodeError(f"the node has said nothing for {_SILENCE_SECONDS:.0f} seconds") from error
        except (OSError, http.client.HTTPException) as error:
            raise NodeError(f"the node went away: {str(error) or type(error).__name__}") from error
        except ValueError as error:
            raise NodeError(f"what answers is not an s3proxy: {error}") from error


def read(connection: socket.socket, path: str) -> bytes:
    """What the node has at ``path``.

    *Closes:* the connection.

    Raises:
        NodeError: the node went away or fell silent, or has no such thing.
    """
    with connection, closing(http.client.HTTPConnection("localhost")) as http_connection:
        http_connection.sock = connection
        try:
            http_connection.request("GET", path)
            with http_connection.getresponse() as response:
                content = response.read(_MOST_BYTES)
        except TimeoutError as error:
            raise NodeError(f"the node has said nothing for {_SILENCE_SECONDS:.0f} seconds") from error
        except (OSError, http.client.HTTPException) as error:
            raise NodeError(f"the node went away: {str(error) or type(error).__name__}") from error
    if response.status != http.client.OK:
        raise NodeError(f"the node answered {response.status}: {content.decode(errors='replace').strip()}")
    return content
