"""Row 9 of the advisories: a document is refused before it costs anything."""

import base64
import hashlib
from contextlib import suppress

import pytest

from tests.security.site import ALICE, CANARY, Site, call
from tests.signing import sign_v4
from tests.wire import NoAnswerError

MIB = 1024 * 1024

DOCUMENTS = {
    "CreateBucket": ("PUT", "/alice-{0}", "CreateBucketConfiguration", "LocationConstraint"),
    "PutBucketTagging": ("PUT", "/alice?tagging", "Tagging", "TagSet"),
    "PutObjectTagging": ("PUT", "/alice/kept?tagging", "Tagging", "TagSet"),
    "DeleteObjects": ("POST", "/alice?delete", "Delete", "Object"),
    "CompleteMultipartUpload": ("POST", "/alice/completed?uploadId={1}", "CompleteMultipartUpload", "Part"),
}


@pytest.fixture(scope="module")
def upload(site: Site) -> str:
    return site.upload("alice", "completed")


@pytest.fixture(params=DOCUMENTS)
def document(site: Site, upload: str, request: pytest.FixtureRequest) -> tuple[str, str, str, str]:
    method, target, root, child = DOCUMENTS[request.param]
    return method, target.format(site.fresh(), upload), root, child


def bombs(root: str, child: str, outside: str) -> dict[str, bytes]:
    """Documents that have harmed parsers before."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    plain = f"<{root}><{child}>&e;</{child}></{root}>"
    bomb = f'<!DOCTYPE {root} [<!ENTITY e0 "ha">{levels}]><{root}><{child}>&e9;</{child}></{root}>'
    external = f'<!DOCTYPE {root} [<!ENTITY e SYSTEM "file://{outside}/canary">]>{plain}'
    deep = f"<{root}>" + f"<{child}>" * 100_000 + f"</{child}>" * 100_000 + f"</{root}>"
    return {
        "empty DTD": f"<!DOCTYPE {root}>{plain.replace('&e;', '')}".encode(),
        "internal entity": f'<!DOCTYPE {root} [<!ENTITY e "x">]>{plain}'.encode(),
        "billion laughs": bomb.encode(),
        "billion laughs in UTF-16": ('<?xml version="1.0" encoding="UTF-16"?>' + bomb).encode("utf-16"),
        "billion laughs in UTF-16 without a mark": bomb.encode("utf-16-le"),
        "billion laughs in UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + bomb.replace("<!", "+ADwAIQ-").encode(),
        "billion laughs in EBCDIC": ('<?xml version="1.0" encoding="cp037"?>' + bomb).encode("cp037"),
        "quadratic blow-up": f'<!DOCTYPE {root} [<!ENTITY e "{"x" * 50_000}">]><{root}>{"&e;" * 999}</{root}>'.encode(),
        "external entity": external.encode(),
        "external entity in UTF-16": ('<?xml version="1.0" encoding="UTF-16"?>' + external).encode("utf-16"),
        "external DTD": f'<!DOCTYPE {root} SYSTEM "file://{outside}/canary">{plain}'.encode(),
        "parameter entity": f'<!DOCTYPE {root} [<!ENTITY % p SYSTEM "file://{outside}/canary">%p;]>{plain}'.encode(),
        "unknown entity": plain.encode(),
        "XInclude": (
            f'<{root} xmlns:xi="http://www.w3.org/2001/XInclude"><{child}>'
            f'<xi:include href="file://{outside}/canary" parse="text"/></{child}></{root}>'
        ).encode(),
        "nesting": deep.encode(),
        "elements": (f"<{root}>" + f"<{child}/>" * 200_000 + f"</{root}>").encode(),
        "attributes": (f"<{root} " + " ".join(f'a{n}=""' for n in range(100_000)) + "/>").encode(),
        "namespaces": (f"<{root} " + " ".join(f'xmlns:a{n}="b"' for n in range(50_000)) + "/>").encode(),
        "one long text": f"<{root}><{child}>{'x' * 3 * MIB}</{child}></{root}>".encode(),
        "one long name": f"<{'x' * 3 * MIB}/>".encode(),
        "comments": (f"<{root}>" + "<!---->" * 200_000 + f"</{root}>").encode(),
        "an end that is missing": f"<{root}><{child}>".encode(),
        "another root": f"<X{root}/>".encode(),
        "no XML": b"\x00\xff\xfe not xml",
        "an invalid character": f"<{root}><{child}>\x01</{child}></{root}>".encode(),
        "invalid UTF-8": f"<{root}><{child}>".encode() + b"\xff\xfe" + f"</{child}></{root}>".encode(),
        "two roots": f"<{root}/><{root}/>".encode(),
    }


BOMBS = tuple(bombs("R", "c", ""))


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_document_is_400_with_flat_memory(site: Site, document: tuple[str, str, str, str], name: str) -> None:
    # OpenStack Swift CVE-2022-47950 (XXE in its S3 API), CVE-2025-27136 (LocalS3 XXE).
    method, target, root, child = document
    body = bombs(root, child, str(site.outside))[name]
    site.server.reset_peak()
    before, tree = site.server.resident_bytes(), site.state()
    answer = _send(site, method, target, body)
    # An include that nobody resolves is an unknown element; CreateBucket skips those.
    assert answer in {400, None} or (name, root) == ("XInclude", "CreateBucketConfiguration")
    assert site.server.resident_bytes("VmHWM") - before < 32 * MIB
    assert site.state() == tree or answer == 200


def _send(site: Site, method: str, target: str, body: bytes) -> int | None:
    """The status; None when the server hung up in the middle of a body that it had no use for."""
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    with site.connect() as connection:
        try:
            answer = connection.ask(sign_v4(call(method, target, body, content_md5=md5), ALICE))
        except NoAnswerError:
            return None
    assert CANARY not in answer.body
    return answer.status


def test_delete_of_1001_keys_is_400_and_deletes_none(site: Site) -> None:
    # CVE-2022-47950 in spirit: a bound on what one document may ask for.
    bucket = site.bucket()
    assert site.ask("PUT", f"/{bucket}/0", b"x").status == 200
    for count, status in ((1001, 400), (1000, 200)):
        keys = "".join(f"<Object><Key>{number}</Key></Object>" for number in range(count))
        assert _send(site, "POST", f"/{bucket}?delete", f"<Delete>{keys}</Delete>".encode()) == status
        assert site.ask("GET", f"/{bucket}/0").status == (200 if status == 400 else 404)


def test_delete_of_1000_of_the_longest_keys_is_200(site: Site) -> None:
    # The cap is above what clients send: 1,000 keys of 1,024 bytes, most of them escaped.
    keys = "".join(f"<Object><Key>{number:04d}{'&amp;' * 600}{'b' * 420}</Key></Object>" for number in range(1000))
    assert _send(site, "POST", "/alice?delete", f"<Delete>{keys}</Delete>".encode()) == 200


def test_complete_with_10001_parts_is_400(site: Site, upload: str) -> None:
    part = "<Part><PartNumber>{0}</PartNumber><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag></Part>"
    parts = "".join(part.format(number) for number in range(1, 10_002))
    target = f"/alice/completed?uploadId={upload}"
    assert _send(site, "POST", target, f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()) == 400


@pytest.mark.parametrize("announced", [16 * MIB, 1032 * MIB, 2**62])
def test_document_over_the_cap_is_refused_by_its_length(
    site: Site, document: tuple[str, str, str, str], announced: int
) -> None:
    # CVE-2025-27136 in spirit: memory follows what is read, so nothing of it is read.
    method, target, _, _ = document
    head = sign_v4(call(method, target, content_length=str(announced)), ALICE, b"UNSIGNED-PAYLOAD")
    before = site.server.resident_bytes()
    with site.connect() as connection:
        connection.send(head.render())
        answer = connection.receive()
        assert answer.status in {400, 413}
        assert connection.is_ended()
    assert site.server.resident_bytes() - before < 8 * MIB


def test_endless_chunked_document_is_refused(site: Site, document: tuple[str, str, str, str]) -> None:
    # CVE-2025-27136 in spirit, for a body that does not say how long it is.
    method, target, _, _ = document
    head = sign_v4(call(method, target, transfer_encoding="chunked"), ALICE, b"UNSIGNED-PAYLOAD")
    site.server.reset_peak()
    before = site.server.resident_bytes()
    with site.connect() as connection:
        connection.send(head.render())
        for _ in range(32):
            connection.send(b"100000\r\n" + b" " * MIB + b"\r\n")
        with suppress(NoAnswerError):
            assert connection.receive().status in {400, 411, 413}
    assert site.server.resident_bytes("VmHWM") - before < 32 * MIB
