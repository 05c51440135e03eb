"""Every path of the admin plane and what answers there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from s3proxy.admin.answers import Answer, Json, Request, of_bytes, of_json, of_text
from s3proxy.admin.app import Route
from s3proxy.admin.browsing import Browser
from s3proxy.admin.command import Command
from s3proxy.admin.history import History
from s3proxy.admin.node_status import NodeState, status_of


class Node(Protocol):
    """What is shown of a node."""

    @property
    def history(self) -> History:
        """Its last hour."""
        ...

    def reason_against(self) -> str:
        """Why it should get no requests; empty when it should. Does not wait for anything."""
        ...

    def reload_progress(self) -> Json:
        """How a reload goes, as ``s3proxy reload`` reads it."""
        ...

    async def state(self) -> NodeState:
        """All that is known."""
        ...

    async def metrics(self) -> tuple[bytes, bytes]:
        """What Prometheus asks for: the text and its content type."""
        ...


def routes_of(node: Node, browser: Browser, commands: Mapping[str, Command]) -> dict[str, Route]:
    """All but the files of the dashboard."""
    return {
        "/livez": Route(does=_livez, is_open=True),
        "/readyz": Route(does=_of(node, _readyz), is_open=True),
        "/metrics": Route(does=_of(node, _metrics)),
        "/status": Route(does=_of(node, _status)),
        "/history": Route(does=_of(node, _history)),
        "/reload": Route(does=_of(node, _reload)),
        "/buckets": Route(does=browser.buckets),
        "/objects": Route(does=browser.objects),
        "/blocks": Route(does=browser.blocks),
        **command_routes(commands),
    }


def command_routes(commands: Mapping[str, Command]) -> dict[str, Route]:
    """Those of the commands alone."""
    return {f"/cache/{name}": Route(command=command) for name, command in commands.items()}


def _of(node: Node, shown: Callable[[Node], Awaitable[Answer]]) -> Callable[[Request], Awaitable[Answer]]:
    async def does(_: Request) -> Answer:
        return await shown(node)

    return does


async def _livez(_: Request) -> Answer:
    return of_text("ok")


async def _readyz(node: Node) -> Answer:
    reason = node.reason_against()
    return of_text(reason, 503) if reason else of_text("ok")


async def _metrics(node: Node) -> Answer:
    return of_bytes(*await node.metrics())


async def _status(node: Node) -> Answer:
    return of_json(status_of(await node.state()))


async def _history(node: Node) -> Answer:
    return of_json(node.history.content())


async def _reload(node: Node) -> Answer:
    return of_json(node.reload_progress())
