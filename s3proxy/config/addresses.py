"""Addresses to listen on."""

import ipaddress
import re

from s3proxy.config.errors import ConfigError


def split_address(listen: str, key: str = "server.listen") -> tuple[str, int]:
    """Split ``HOST:PORT`` (``[HOST]:PORT`` for IPv6).

    Args:
        listen: the address.
        key: of the configuration, which says it.

    Raises:
        ConfigError: it is not of that form.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):(\d{1,5})", listen)
    if match is None or int(match[3]) > 65535:
        raise ConfigError(f'{key} = "{listen}": must be HOST:PORT, for example 127.0.0.1:39999 or [::1]:39999')
    return match[1] or match[2], int(match[3])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
