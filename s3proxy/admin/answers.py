"""What is asked of the admin plane and what it answers, as values; ASGI is met in app.py alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]

_CAUTIOUS: Headers = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""No browser may keep an answer, run any of it, show it in a frame or lend it to another site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request."""

    method: str
    path: str
    """Decoded."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Decoded; of a name that comes twice, the last value."""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    """By names in lower case."""

    def needed(self, name: str) -> str:
        """A parameter of the query.

        Raises:
            RefusedError: there is none.
        """
        value = self.query.get(name, "")
        if not value:
            raise RefusedError(400, f"{self.path}: needs ?{name}=")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


class RefusedError(Exception):
    """A request that is not done; the message is a sentence for who sent it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def of_json(content: object, status: int = 200) -> Answer:
    """``content`` as JSON."""
    return of_bytes(json.dumps(content, separators=(",", ":")).encode("ascii"), b"application/json", status)


def of_text(text: str, status: int = 200) -> Answer:
    """A line for people."""
    return of_bytes(f"{text}\n".encode(), b"text/plain; charset=utf-8", status)


def of_bytes(body: bytes, content_type: bytes, status: int = 200) -> Answer:
    """An answer with the headers that all have but those of the page."""
    return Answer(status=status, headers=headers_of(content_type), body=body)


def refusal(refused: RefusedError) -> Answer:
    """Why a request was not done, as lines of a command are, so that every client finds ``reason``."""
    answer = of_json({"type": "refused", "reason": str(refused)}, refused.status)
    if refused.status != 401:
        return answer
    return Answer(status=401, headers=(*answer.headers, (b"www-authenticate", b"Bearer")), body=answer.body)


def headers_of(content_type: bytes) -> Headers:
    """Those of every answer."""
    return ((b"content-type", content_type), *_CAUTIOUS)


Json = dict[str, Any]  # Any: as JSON has it
