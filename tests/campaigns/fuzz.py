"""Requests that were damaged at random: ``python -m tests.campaigns.fuzz``.

Heads, queries, XML documents, chunked and aws-chunked bodies, signed and not. Whatever is made of them, the server
never answers 500, never leaves a connection hanging, and in the end has no more descriptors open and still serves.
"""

import argparse
import random
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.campaigns.report import require, require_flat, run, say
from tests.server import Server, started
from tests.signing import UNSIGNED_TRAILER, Keys, presign_v4, sign_v2, sign_v4
from tests.wire import Call, ask

_USER = Keys("AKFUZZFUZZFUZZFUZZ23", "the-secret-of-the-fuzzing-user")
_HANG_SECONDS = 15
_BREAKS_LINES = re.compile(rb"[\r\n\0 ]")
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")

_TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"=",
    b"&",
    b"?",
    b"%",
    b"%00",
    b"%ff",
    b"%2F",
    b"/",
    b"..",
    b"\xff",
    b"\xc3",
    b"\xef\xbf\xbf",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"0x10",
    b"1e9",
    b"<",
    b">",
    b"]]>",
    b"<!--",
    b"<!DOCTYPE a [",
    b"&e;",
    b"&#0;",
    b"&#x110000;",
    b"\r\n\r\n",
    b"\r\n ",
    b"chunked",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Range: bytes=0-,5-\r\n",
    b'If-Match: "\r\n',
    b"x-amz-copy-source: /%00\r\n",
    b"x-amz-meta-a: \xe9\r\n",
    b"uploadId=",
    b"partNumber=",
    b"versionId=",
    b"max-keys=",
    b"continuation-token=",
    b"encoding-type=url",
    b"HTTP/1.0",
    b"A" * 300,
    b"%41" * 400,
)


def _call(method: bytes, target: bytes, body: bytes = b"", *headers: tuple[bytes, bytes]) -> Call:
    return Call(method, target, body=body).having(*headers)


_TAGGING = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
_COMPLETE = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
_DELETE = b"<Delete><Quiet>true</Quiet><Object><Key>none</Key><VersionId>null</VersionId></Object></Delete>"
_CREATE = b"<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>"
_MD5 = (b"content-md5", b"1B2M2Y8AsgTpgAmY7PhCfg==")
_CHUNKED = (b"transfer-encoding", b"chunked")
_DECODED = (b"x-amz-decoded-content-length", b"5")
_TRAILED = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"

SEEDS: dict[str, list[Call]] = {
    "head": [
        _call(b"GET", b"/fuzz/object", b"", (b"range", b"bytes=1-3"), (b"if-none-match", b'"x", "y"')),
        _call(b"HEAD", b"/fuzz/object", b"", (b"if-modified-since", b"Sun, 22 Nov 2026 23:05:40 GMT")),
        _call(
            b"PUT",
            b"/fuzz/put",
            b"hello",
            (b"content-type", b"text/plain"),
            (b"x-amz-meta-a", b"b"),
            (b"expect", b"100-continue"),
        ),
        _call(b"PUT", b"/fuzz/put", b"hello", (b"x-amz-tagging", b"a=b&c=d"), (b"x-amz-checksum-crc32", b"NhCmhg==")),
        _call(
            b"PUT",
            b"/fuzz/copy",
            b"",
            (b"x-amz-copy-source", b"/fuzz/object?versionId=null"),
            (b"x-amz-metadata-directive", b"REPLACE"),
        ),
        _call(b"DELETE", b"/fuzz/put", b"", (b"if-match", b"*")),
        _call(b"OPTIONS", b"/fuzz/object", b"", (b"origin", b"http://a"), (b"connection", b"close")),
    ],
    "query": [
        _call(b"GET", b"/fuzz?list-type=2&prefix=a%2Fb&delimiter=%2F&start-after=x&max-keys=5&encoding-type=url"),
        _call(b"GET", b"/fuzz?prefix=o&marker=a&max-keys=2&delimiter=b"),
        _call(b"GET", b"/fuzz?versions&key-marker=a&version-id-marker=null"),
        _call(b"GET", b"/fuzz?uploads&key-marker=a&upload-id-marker=b&max-uploads=3"),
        _call(b"GET", b"/fuzz?list-type=2&continuation-token=abcdefghk"),
        _call(
            b"GET", b"/fuzz/object?response-content-type=text%2Fplain&response-expires=x&partNumber=1&versionId=null"
        ),
        _call(b"GET", b"/fuzz/object?uploadId=abc&max-parts=2&part-number-marker=1"),
        _call(b"GET", b"/fuzz/object?attributes", b"", (b"x-amz-object-attributes", b"ETag,ObjectParts,Checksum")),
        _call(b"GET", b"/?max-buckets=2&prefix=f&continuation-token=x"),
    ],
    "xml": [
        _call(b"PUT", b"/fuzz/object?tagging", _TAGGING),
        _call(b"PUT", b"/fuzz?tagging", _TAGGING),
        _call(b"POST", b"/fuzz?delete", _DELETE, _MD5),
        _call(b"POST", b"/fuzz/object?uploadId=abc", _COMPLETE),
        _call(b"PUT", b"/fuzz-other", _CREATE),
    ],
    "chunked": [
        _call(b"PUT", b"/fuzz/chunked", b'2;a="b"\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\n\r\n', _CHUNKED, _DECODED),
        _call(b"PUT", b"/fuzz/object?tagging", b"%x\r\n%b\r\n0\r\n\r\n" % (len(_TAGGING), _TAGGING), _CHUNKED),
        _call(b"POST", b"/fuzz?delete", b"%x\r\n%b\r\n0\r\n\r\n" % (len(_DELETE), _DELETE), _CHUNKED, _MD5),
    ],
    "aws-chunked": [
        _call(
            b"PUT",
            b"/fuzz/aws",
            _TRAILED,
            _DECODED,
            (b"x-amz-trailer", b"x-amz-checksum-crc32"),
            (b"content-encoding", b"aws-chunked"),
        ),
        _call(b"PUT", b"/fuzz/aws", b"1d\r\n" + _TRAILED[:29] + b"\r\n0\r\n\r\n", _DECODED, _CHUNKED),
    ],
}


def campaign(base: Path, *, seconds: float, seed: int, least: int) -> None:
    """Damage at least ``least`` requests, for ``seconds``; half to an open server, half to a signing one."""
    chance = random.Random(seed)
    say("seed", seed)
    for name, users in (("open", ()), ("signature", (_USER,))):
        scratch = base / name
        scratch.mkdir()
        with started(scratch / "root", scratch / "scratch", users=users) as server:
            _fuzz(server, chance, signed=bool(users), seconds=seconds / 2, least=least // 2)
            require(b"Traceback" not in server.logs[1].read_bytes(), "the server wrote a traceback")


def _fuzz(server: Server, chance: random.Random, *, signed: bool, seconds: float, least: int) -> None:
    sign: Callable[[Call], Call] = (lambda call: sign_v4(call, _USER)) if signed else (lambda call: call)
    require(ask(server.port, sign(_call(b"PUT", b"/fuzz"))).status == 200, "the bucket cannot be made")
    require(ask(server.port, sign(_call(b"PUT", b"/fuzz/object", b"hello"))).status == 200, "the object cannot be made")
    for kind in SEEDS:  # so that what is loaded or opened once is there before the count
        _send(server.port, _damaged_request(chance, kind, signed=signed))
    descriptors, memory = server.descriptors(), server.resident_bytes()
    statuses: Counter[str] = Counter()
    slowest = 0.0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or statuses.total() < least:
        data = _damaged_request(chance, chance.choice(list(SEEDS)), signed=signed)
        begin = time.monotonic()
        statuses.update(_send(server.port, data) or ["closed"])
        slowest = max(slowest, time.monotonic() - begin)
    require_flat(server, descriptors)
    require(ask(server.port, sign(_call(b"GET", b"/"))).status == 200, "the server answers no more")
    grown = (server.resident_bytes() - memory) // 2**20
    say(
        "signed" if signed else "open", f"{statuses.total()} answers, slowest {slowest * 1000:.0f} ms, {grown} MiB more"
    )
    say("  by status", dict(sorted(statuses.items())))


def _damaged_request(chance: random.Random, kind: str, *, signed: bool) -> bytes:
    """A request damaged on the wire, or one that is well framed and signed around something damaged."""
    call = chance.choice(SEEDS[kind])
    is_framed = chance.random() < 0.6
    if is_framed:
        call = _damaged_call(chance, call)
    mode = UNSIGNED_TRAILER if kind == "aws-chunked" else None
    data = _signed(chance, call, mode) if signed else _unsigned(call, mode)
    return data if is_framed else _damaged(chance, data)


def _damaged_call(chance: random.Random, call: Call) -> Call:
    """Something done to the target, to the value of a header, or to the body."""
    place = chance.randrange(2 + len(call.headers))
    if place == 0:
        return replace(call, target=b"/" + _BREAKS_LINES.sub(b"%0A", _damaged(chance, call.target[1:])))
    if place == 1:
        return replace(call, body=_damaged(chance, call.body))
    headers = list(call.headers)
    name, value = headers[place - 2]
    headers[place - 2] = (name, _BREAKS_LINES.sub(b"-", _damaged(chance, value)))
    return replace(call, headers=tuple(headers))


def _unsigned(call: Call, mode: bytes | None) -> bytes:
    return (call if mode is None else call.having((b"x-amz-content-sha256", mode))).render()


def _signed(chance: random.Random, call: Call, mode: bytes | None) -> bytes:
    way = chance.randrange(6)
    if way == 0:
        return presign_v4(call, _USER).render()
    if way == 1:
        return sign_v2(call, _USER).render()
    return sign_v4(call, _USER, mode).render()


def _damaged(chance: random.Random, data: bytes) -> bytes:
    """The request with one to three things done to it."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(data) + 1)
        stop = place + chance.choice((1, 1, 2, 5, 20))
        token = chance.choice(_TOKENS)
        ways = (
            data[:place] + chance.randbytes(1) + data[place + 1 :],
            data[:place] + token + data[place:],
            data[:place] + token + data[stop:],
            data[:place] + data[stop:],
            data[:stop] + data[place:],
            data[:place],
            re.sub(rb"[0-9]+", lambda match: chance.choice((match[0], b"0", b"1", b"10001", b"9" * 30)), data),
        )
        data = chance.choice(ways)
    return data


def _send(port: int, data: bytes) -> list[str]:
    """Send, half-close, and read to the end; the statuses of what was answered."""
    answered = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_HANG_SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answered += piece
        except TimeoutError:
            require(False, f"the server hangs on {data!r}")
        except OSError:
            pass  # it hung up while we still sent
    statuses = [match.decode() for match in _STATUS.findall(answered)]
    require("500" not in statuses, f"500 for {data!r}: {answered[:2000]!r}")
    return statuses


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    given = parser.parse_args()
    return run(lambda base: campaign(base, seconds=given.seconds, seed=given.seed, least=0))


if __name__ == "__main__":
    sys.exit(main())
