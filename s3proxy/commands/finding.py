"""How commands find the running node: by the socket that it was given, its configuration, or its data port."""

import argparse
import os
from pathlib import Path
from typing import Final

from s3proxy import config
from s3proxy.admin import socket_paths

HINT: Final = "is it running, and as this user? --config, --port or --socket say where"
"""What to say behind the places that were tried."""


def add_node_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``sockets_of`` reads."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="the node's configuration, to find its socket")
    parser.add_argument("--port", metavar="PORT", type=int, help="the node's data port (default 39999)")
    parser.add_argument("--socket", metavar="PATH", type=Path, help="the node's admin socket")


def sockets_of(options: argparse.Namespace) -> list[Path]:
    """Where the node's admin socket may be, the likeliest place first.

    Raises:
        ConfigError: the configuration that was named is wrong.
    """
    if options.socket is not None:
        return [options.socket]
    if options.port is not None:
        return socket_paths.candidates(options.port, os.environ)
    settings = config.load(options.config)
    if settings.admin.socket:
        return [Path(settings.admin.socket)]
    return socket_paths.candidates(config.split_address(settings.server.listen)[1], os.environ)
