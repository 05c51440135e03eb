"""Who may ask the admin plane on a TCP port, where every program of the machine and every page of a browser can.

On the Unix socket the permissions of the file decide instead.
"""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from s3proxy.admin.answers import RefusedError


class Guard:
    """Refuses requests that a page of another site has made, and those without the token.

    A page can have a name of its own lead to this address (DNS rebinding) and then read all answers; but the request
    says that name in Host. Addresses in Host are let through, since they are no names, and so are the names of this
    machine to itself. Pages of other sites can also send requests whose answers they cannot read; browsers then tell
    in Origin and Sec-Fetch-Site (W3C Fetch Metadata) where they come from.

    Args:
        token: that is asked for; empty for none.
        hosts: further names that the node is called by.
    """

    def __init__(self, *, token: str = "", hosts: Iterable[str] = ()) -> None:
        self._token = token.encode()
        self._hosts = {"localhost", *(host.lower() for host in hosts)}

    def check(self, headers: Mapping[bytes, bytes], *, is_open: bool = False, is_command: bool = False) -> None:
        """Let a request pass.

        Args:
            headers: of the request.
            is_open: whether it needs no token.
            is_command: whether it changes something. Where no token is asked for, every user of the machine could
                send it, so that it is taken on the Unix socket alone.

        Raises:
            RefusedError: it may not.
        """
        host = headers.get(b"host")
        if host is not None and not self._is_own(host):
            raise RefusedError(403, f"the Host {_text(host)} is not known here; name it in admin.hosts")
        if _is_foreign(headers, host or b""):
            raise RefusedError(403, "asked for by a page of another site")
        if is_command and not self._token:
            raise RefusedError(403, "without admin.token, commands are taken on the Unix socket alone: s3proxy cache")
        if self._token and not is_open and not self._has_token(headers):
            raise RefusedError(401, "admin.token is needed: Authorization: Bearer TOKEN")

    def _is_own(self, host: bytes) -> bool:
        try:
            name = urlsplit(f"//{_text(host)}").hostname or ""
        except ValueError:  # as "[::1"
            return False
        return name in self._hosts or _is_address(name)

    def _has_token(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


def _is_foreign(headers: Mapping[bytes, bytes], host: bytes) -> bool:
    origin = headers.get(b"origin")
    if origin is not None and _authority(origin) != _text(host).lower():
        return True
    is_link = headers.get(b"sec-fetch-mode") == b"navigate"  # that somebody followed; the other site sees nothing
    return headers.get(b"sec-fetch-site") in {b"cross-site", b"same-site"} and not is_link


def _authority(origin: bytes) -> str:
    scheme, _, authority = _text(origin).lower().partition("://")
    return authority if scheme in {"http", "https"} else "?"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _text(value: bytes) -> str:
    return value.decode("latin-1")
