"""The page that shows an operator how a node fares: its files, and how they are answered.

The page holds no data of the node, so it is given to anybody who may connect; what it shows it asks of the admin
plane, with a token where one is demanded, every few seconds while somebody looks. It is ES modules and no build step:

* ``index.html``, ``style.css``, ``theme.js``, ``icon.svg``: what is there before anything is known; one colour for each
  source of bytes, in both themes.
* ``app.js``: the page as a whole. ``node.js``: asking the node. ``address.js``: where the page is, for links.
* ``plots.js``, ``tables.js``: the live plots; what stands below them.
* ``browser.js``, ``blockmap.js``: buckets and objects; where the blocks of one lie.
* ``dom.js``, ``units.js``: elements made without markup; numbers as an operator reads them.
* ``assets/uplot/``: uPlot 1.6.32 as published, under its own licence, the only library.

Invariant: text from the node becomes text nodes and attributes only. The Content Security Policy refuses inline scripts
and, by Trusted Types, any making of markup from text. Tests drive a real Chromium (``tests/dashboard/chromium.py``).
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_CONTENT_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    "": b"text/plain; charset=utf-8",
}

_CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    # No script may make HTML of text, so the name of a key can never become markup.
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)

_COMMON_HEADERS = (
    (b"content-security-policy", _CONTENT_SECURITY_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # an address may carry a token
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),  # kept, but asked for again: after an upgrade all files are of one version
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticAnswer:
    """A whole answer to GET; HEAD is the same without the body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def answer(path: str, if_none_match: bytes | None = None) -> StaticAnswer | None:
    """Answer the request for one of the page's files.

    Args:
        path: ``/`` for the page, ``/assets/<name>`` for what it is made of; already decoded.
        if_none_match: the field value of the request, when it has one.

    Returns:
        200, or 304 when the client has this very version; None when no file is there.
    """
    found = _answers().get(path)
    if found is None:
        return None
    etag = dict(found.headers)[b"etag"]
    if if_none_match is not None and etag in (each.strip() for each in if_none_match.split(b",")):
        headers = tuple(header for header in found.headers if header[0] not in {b"content-type", b"content-length"})
        return StaticAnswer(status=304, headers=headers, body=b"")
    return found


@cache
def _answers() -> dict[str, StaticAnswer]:
    """All there is to be had, by path, so that no path is ever made a file name."""
    folder = files(__name__)
    answers = {"/": _whole("index.html", (folder / "index.html").read_bytes())}
    _add_folder(answers, folder / "assets", "/assets/")
    return answers


def _add_folder(answers: dict[str, StaticAnswer], folder: Traversable, prefix: str) -> None:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            _add_folder(answers, entry, f"{path}/")
        else:
            answers[path] = _whole(entry.name, entry.read_bytes())


def _whole(name: str, body: bytes) -> StaticAnswer:
    suffix = name[name.rfind(".") :] if "." in name else ""
    headers = (
        *_COMMON_HEADERS,
        (b"content-type", _CONTENT_TYPES[suffix]),
        (b"content-length", b"%d" % len(body)),
        (b"etag", b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()),
    )
    return StaticAnswer(status=200, headers=headers, body=body)
