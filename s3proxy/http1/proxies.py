"""Balancers in front of this node, and whose word about a client is believed (RustFS CVE-2026-21862)."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")  # some balancers add the client's
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")  # no zone, of which ipaddress takes any text
_SCHEMES = frozenset({"http", "https"})
_KNOWN_ADDRESSES = 4096


class Proxies:
    """The addresses of trusted balancers; ``address in proxies`` tells whether a peer is one.

    Args:
        networks: addresses and networks like ``10.1.0.0/16``.

    Raises:
        ValueError: one of them is neither.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._is_trusted = lru_cache(_KNOWN_ADDRESSES)(self._is_within)

    def __contains__(self, address: str) -> bool:
        return self._is_trusted(address)

    def client_of(self, peer: str, forwarded_for: Iterable[bytes]) -> str:
        """Who sent a request: each address of X-Forwarded-For is believed if the one that added it is trusted.

        Args:
            peer: who connected.
            forwarded_for: the values of the header in the order in which they came.

        Returns:
            The rightmost address that is not trusted; the last trusted one where there is no further address.
        """
        client = peer
        for hop in reversed(b",".join(forwarded_for).split(b",")):
            if client not in self:
                break
            address = parse_address(_without_port(hop.decode("latin-1").strip()))
            if address is None:
                break
            client = address
        return client

    def scheme_of(self, peer: str, scheme: str, forwarded_proto: bytes | None) -> str:
        """By which scheme the client reached the first balancer, as a trusted one says that ends TLS for us.

        Args:
            peer: who connected.
            scheme: by which.
            forwarded_proto: the value of X-Forwarded-Proto, if there is one.
        """
        if forwarded_proto is None or peer not in self:
            return scheme
        forwarded = forwarded_proto.decode("latin-1").lower()
        return forwarded if forwarded in _SCHEMES else scheme

    def _is_within(self, address: str) -> bool:
        try:
            parsed = _parse(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def parse_address(text: str) -> str | None:
    """An IP address in its usual form, or None where the text is none."""
    try:
        return str(_parse(text))
    except ValueError:
        return None


def _parse(text: str) -> _Address:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(text)
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(hop: str) -> str:
    match = _PORT.fullmatch(hop)
    return hop if match is None else match[1] or match[2] or ""
