"""The commands of ``s3proxy cache`` by name."""

from collections.abc import Awaitable, Callable
from functools import partial

from s3proxy.admin.caches import Caches
from s3proxy.admin.command import Command, CommandError, Emit
from s3proxy.admin.free import free
from s3proxy.admin.load import load
from s3proxy.admin.messages import CacheRequest
from s3proxy.admin.pins import pin, unpin
from s3proxy.admin.status import status
from s3proxy.admin.verify import verify

_COMMANDS: dict[str, Callable[[Caches, CacheRequest, Emit], Awaitable[None]]] = {
    "status": status,
    "load": load,
    "free": free,
    "pin": pin,
    "unpin": unpin,
    "verify": verify,
}


def cache_commands(caches: Caches) -> dict[str, Command]:
    """Every command on ``caches``."""
    return {name: partial(command, caches) for name, command in _COMMANDS.items()}


def refused_commands(reason: str) -> dict[str, Command]:
    """Every command, done by none: each says why."""

    async def refuse(request: CacheRequest, emit: Emit) -> None:
        raise CommandError(reason)

    return dict.fromkeys(_COMMANDS, refuse)
