"""A minimal client of one bucket over one connection, without signatures: a request costs a tenth of boto3's."""

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from tests.model.reference import Page, Query, md5
from tests.wire import Answer, Call, Connection, NoAnswerError

_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|([a-z]+));")
_ECHOED = ("Prefix", "Delimiter", "Marker", "StartAfter", "KeyMarker")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A page as it was answered, with what continues it."""

    page: Page
    token: str | None
    echoed: Mapping[str, str]
    """What the answer repeats of the request."""


class BucketClient:
    """Speaks S3 about one bucket. *Closes:* ``close``."""

    def __init__(self, port: int, bucket: str) -> None:
        self.bucket = bucket
        self._port = port
        self._connection: Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(
        self, method: str, key: str | None, query: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request about a key, or about the bucket."""
        path = f"/{self.bucket}" if key is None else f"/{self.bucket}/{quote(key, safe='/~')}"
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        call = Call(method.encode(), (path + query).encode(), body=body).having(*pairs)
        for _ in range(2):  # the server may have closed the connection after a body that it did not read
            if self._connection is None:
                self._connection = Connection(self._port)
            with suppress(NoAnswerError):
                answer = self._connection.ask(call)
                if answer.header(b"connection") == b"close":
                    self.close()
                return answer
            self.close()
        raise NoAnswerError

    def list_objects(
        self, dialect: str, query: Query, *, encode: bool = False, owner: bool = False, token: str | None = None
    ) -> Listing:
        """One page in the dialect "1", "2" or "versions"."""
        after = {"1": "marker", "2": "start-after", "versions": "key-marker"}[dialect]
        parameters = {"prefix": query.prefix, "delimiter": query.delimiter, "max-keys": str(query.max_keys)}
        parameters[after] = query.after
        if token is not None:
            parameters["continuation-token"] = token
        if encode:
            parameters["encoding-type"] = "url"
        if dialect == "2" and owner:
            parameters["fetch-owner"] = "true"
        start = {"1": "?", "2": "?list-type=2&", "versions": "?versions&"}[dialect]
        encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
        answer = self.ask("GET", None, start + encoded)
        assert answer.status == 200, answer
        shown = answer.body.count(b"<Contents>") + answer.body.count(b"<Version>")
        assert answer.body.count(b"<Owner>") == (shown if owner or dialect != "2" else 0)
        return _listing(answer.body.decode(), is_encoded=encode)

    def delete_many(self, keys: list[str]) -> Answer:
        """DeleteObjects, quietly."""
        objects = "".join(f"<Object><Key>{escape(key, {chr(13): '&#13;'})}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        return self.ask(
            "POST", None, "?delete", body, {"content-md5": base64.b64encode(bytes.fromhex(md5(body))).decode()}
        )

    def put_tags(self, key: str, tags: Mapping[str, str]) -> Answer:
        pairs = "".join(
            f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>" for name, value in tags.items()
        )
        return self.ask("PUT", key, "?tagging", f"<Tagging><TagSet>{pairs}</TagSet></Tagging>".encode())

    def tags(self, key: str) -> dict[str, str]:
        answer = self.ask("GET", key, "?tagging")
        assert answer.status == 200, answer
        text = answer.body.decode()
        return dict(zip(_texts(text, "Key"), _texts(text, "Value"), strict=True))


def _listing(text: str, *, is_encoded: bool) -> Listing:
    def texts(element: str, within: str = text) -> list[str]:
        found = _texts(within, element)
        return [unquote(value, errors="strict") for value in found] if is_encoded else found

    keys = texts("Key")
    prefixes = texts("Prefix", "".join(re.findall(r"<CommonPrefixes>.*?</CommonPrefixes>", text, re.DOTALL)))
    last = max([*keys, *prefixes], key=str.encode, default="")
    is_truncated = _texts(text, "IsTruncated") == ["true"]
    assert all(following == [last] for following in (texts("NextMarker"), texts("NextKeyMarker")) if following)
    token = next(iter(_texts(text, "NextContinuationToken")), None)
    assert token is None or is_truncated
    assert _texts(text, "KeyCount") in ([], [str(len(keys) + len(prefixes))])
    head = re.split("<Contents>|<Version>|<CommonPrefixes>", text)[0]
    echoed = {name: value for name in _ECHOED for value in texts(name, head)}
    if "<Marker" in head:  # the first dialect, in which clients do not decode the prefix
        echoed["Prefix"] = "".join(_texts(head, "Prefix"))
    return Listing(Page(keys, prefixes, last if is_truncated else None), token, echoed)


def _texts(text: str, element: str) -> list[str]:
    found = re.findall(rf"<{element}>(.*?)</{element}>|<{element}/>", text, re.DOTALL)
    return [_REFERENCE.sub(_character, value) for value in found]


def _character(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    return chr(int(match[1], 16) if match[1] else int(match[2]))
