"""How foreign text gets into a log: on one line, in printable ASCII, bounded, and without secrets.

A line of a log goes to terminals and to programs that split at line ends. What a client chooses (keys, queries, user
agents, names of users) can hold line ends, escape sequences of terminals, characters that turn the direction of what
follows, and bytes that are no text. So nothing but printable ASCII is written, in both forms of the logs.
"""

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Final
from urllib.parse import unquote

MOST_LINE_BYTES: Final = 4096
"""PIPE_BUF: one write of so much to a pipe is not mixed with those of other processes (pipe(7))."""

MOST_TARGET: Final = 2048
MOST_KEY: Final = 3072
"""In JSON; every key of letters in any script fits. Longer ones, mostly of control characters, are cut."""

_ELLIPSIS: Final = "..."

_SECRET_PARAMETERS: Final = frozenset(
    {
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "signature",
        "awsaccesskeyid",
        "authorization",
        "token",
    }
)

_SECRETS_IN_PROSE: Final = (
    re.compile(
        r"(?i)((?:x-amz-(?:signature|credential|security-token)|signature|awsaccesskeyid|credential|secret[_-]?(?:access[_-]?)?key"
        r"|customer-key|token)(?:['\"]?\s*[=:,]\s*|%3d)(?:b?['\"])?)[^&\s'\",;]+"
    ),
    re.compile(r"(?i)(authorization['\"]?\s*[=:,]\s*(?:b?['\"])?)[^'\"\n]+"),
    re.compile(r"(?i)(\bbearer\s+)[^\s'\"]+"),
    re.compile(r"(\bAWS [A-Za-z0-9_.-]+:)[A-Za-z0-9+/=]+"),
    re.compile(r"(?i)(https?://)[^/\s@'\"]+(?=@)"),
)
_hidden: list[str] = []


def hide(secrets: Iterable[str]) -> None:
    """Keep these texts out of every event from now on, wherever a message or a traceback quotes them."""
    _hidden[:] = sorted({secret for secret in secrets if secret}, key=len, reverse=True)


def redacted(prose: str) -> str:
    """A message or a traceback without what looks like a secret, and without those that were hidden."""
    for secret in _hidden:
        prose = prose.replace(secret, _ELLIPSIS)
    for pattern in _SECRETS_IN_PROSE:
        prose = pattern.sub(rf"\1{_ELLIPSIS}", prose)
    return prose


def word(name: str, most: int = 128) -> str:
    """A name as one word of a line; what is no printable ASCII becomes ``_``."""
    if len(name) > most:
        name = name[:most] + _ELLIPSIS
    if name.isascii() and name.isprintable() and " " not in name:
        return name
    return "".join(c if c.isascii() and c.isprintable() and c != " " else "_" for c in name)


def printable(prose: str) -> str:
    """A text on one line, in printable ASCII; blanks stay."""
    return prose if prose.isascii() and prose.isprintable() else prose.encode("unicode_escape").decode("ascii")


def quoted(text: str, most: int = MOST_KEY) -> str:
    """A text as a JSON string in printable ASCII, of at most ``most`` characters between the quotes."""
    shown = encode_basestring_ascii(text)
    if len(shown) > most + 2:
        shown = _cut(text, most)
    elif "\\ud" in shown:  # perhaps half a pair, which strict readers refuse
        shown = encode_basestring_ascii(text.encode("utf-8", "backslashreplace").decode())
    return shown


def _cut(text: str, most: int) -> str:
    """The longest beginning that fits, a whole number of characters."""
    left = most - len(_ELLIPSIS)
    kept = 0
    for character in text:
        left -= len(encode_basestring_ascii(character)) - 2
        if left < 0:
            break
        kept += 1
    return quoted(text[:kept] + _ELLIPSIS, most)


def shown_target(target: bytes, most: int = MOST_TARGET) -> str:
    """The target of a request as one word, without what its query proves."""
    path, mark, query = target.partition(b"?")
    shown = path.decode("latin-1")
    if mark:
        shown += "?" + (without_secrets(query.decode("latin-1")) if len(query) <= MOST_TARGET else _ELLIPSIS)
    if len(shown) > most:
        shown = shown[:most] + _ELLIPSIS
    return shown if shown.isascii() and shown.isprintable() and " " not in shown else ascii(shown).replace(" ", "\\x20")


def without_secrets(query: str) -> str:
    """A query with ``...`` for what is as good as a key while it lasts, however the names are escaped."""
    return "&".join(f"{name}=..." if _is_secret(name) else field for field, name in _named(query))


def _named(query: str) -> Iterable[tuple[str, str]]:
    return ((field, field.partition("=")[0]) for field in query.split("&"))


def _is_secret(name: str) -> bool:
    if "%" in name or "+" in name:
        name = unquote(name.replace("+", " ")).strip()
    return name.lower() in _SECRET_PARAMETERS


@lru_cache(maxsize=2)
def _second_stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def stamp(nanoseconds: int | None = None) -> str:
    """A moment, now by default, to the millisecond, as RFC 3339 has it."""
    milliseconds = (time.time_ns() if nanoseconds is None else nanoseconds) // 1_000_000
    return f"{_second_stamp(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"
