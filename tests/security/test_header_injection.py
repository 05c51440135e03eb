"""Row 10 of the advisories: nothing that a client says becomes a header of its own."""

import json
import os
from urllib.parse import quote

import pytest

from tests.security.site import ALICE, Site, call
from tests.signing import presign_v4, sign_v4
from tests.wire import ask

OVERRIDES = ("content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding")
INJECTIONS = (
    b"text/html\r\nset-cookie: evil=1", b"text/html\nset-cookie: evil=1", b"text/html\rset-cookie: evil=1",
    b"a\0b", b"\r\n\r\n<script>alert(1)</script>", b"\r\n set-cookie: folded=1", b"\x7f", b"\x01", b"\x1b[2J", b"\x0b",
)  # fmt: skip
NOT_ASCII = ("é", "日本", "\u2028", "\u0085", "\x80", "嘊嘍")
"""The last two end in the bytes of CR and LF when a server drops the upper halves of UTF-16."""


@pytest.mark.parametrize("override", OVERRIDES)
@pytest.mark.parametrize("value", INJECTIONS)
def test_control_characters_in_a_response_override_make_no_header(site: Site, override: str, value: bytes) -> None:
    # Ceph CVE-2021-3524 (CR in response-content-disposition), CVE-2020-10753.
    answer = site.ask("GET", f"/alice/kept?response-{override}={quote(value)}")
    assert answer.status == 400
    assert answer.header(b"set-cookie") is None
    presigned = presign_v4(call("GET", f"/alice/kept?response-{override}={quote(value)}"), ALICE)
    assert ask(site.port, presigned).status == 400


@pytest.mark.parametrize("override", OVERRIDES)
@pytest.mark.parametrize("value", NOT_ASCII)
def test_other_characters_in_a_response_override_make_no_header(site: Site, override: str, value: str) -> None:
    # Ceph CVE-2021-3524.
    answer = site.ask("GET", f"/alice/kept?response-{override}={quote(value)}")
    assert answer.status in {200, 400}
    assert answer.header(b"set-cookie") is None
    given = answer.header(override.encode()) or b""
    assert not set(given) & set(b"\r\n\0")


def test_response_overrides_without_a_signature_are_refused(site: Site) -> None:
    assert ask(site.port, call("GET", "/alice/kept?response-content-type=text/html")).status == 403


@pytest.mark.parametrize(
    "name", ["x-amz-meta-a", "content-type", "content-disposition", "cache-control", "x-amz-website-redirect-location"]
)
@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\0", b"\x01", b"\x7f", b"\r\nset-cookie: evil=1\r\nx:"])
def test_control_characters_in_stored_headers_are_refused(site: Site, name: str, byte: bytes) -> None:
    # Ceph CVE-2020-10753.
    target = f"/alice/{site.fresh()}"
    put = sign_v4(call("PUT", target).having((name.encode(), b"/a" + byte + b"b")), ALICE)
    with site.connect() as connection:
        connection.send(put.render())
        connection.end_sending()
        assert connection.receive().status in {400, 403}
    got = site.ask("GET", target)
    assert got.status == 404
    assert got.header(b"set-cookie") is None


@pytest.mark.parametrize(
    "value", [b"caf\xc3\xa9", b"caf\xe9", b"\xff\xfe", b"=?UTF-8?B?Y2Fmw6k=?=", b"=?UTF-8?Q?a=0D=0Ab?=", b"a%0d%0ab"]
)
def test_other_bytes_in_stored_metadata_come_back_as_one_header_or_are_refused(site: Site, value: bytes) -> None:
    # Ceph CVE-2020-10753.
    target = f"/alice/{site.fresh()}"
    put = site.ask("PUT", target, x_amz_meta_a=value.decode("latin-1"))
    assert put.status in {200, 400}
    if put.status == 200:
        got = site.ask("GET", target)
        assert [name for name, _ in got.headers].count(b"x-amz-meta-a") == 1
        assert got.header(b"x-amz-meta-a") == value
        assert site.ask("HEAD", target).header(b"x-amz-meta-a") == value


@pytest.mark.parametrize(
    "name", [b"x-amz-meta-", b"x-amz-meta-a b", b"x-amz-meta-\xc3\xa9", b"x-amz-meta-a:b", b"x-amz-meta-a\0"]
)
def test_metadata_with_a_name_that_is_no_header_s_is_no_header(site: Site, name: bytes) -> None:
    # Ceph CVE-2020-10753.
    target = f"/alice/{site.fresh()}"
    with site.connect() as connection:
        connection.send(sign_v4(call("PUT", target).having((name, b"1")), ALICE).render())
        assert connection.receive().status in {200, 400, 403}
    assert site.ask("GET", target).status in {200, 404}


def test_record_of_a_hostile_file_system_user_makes_no_header(site: Site) -> None:
    # Ceph CVE-2021-3524: whatever can write the attribute of a file must not write headers.
    bucket = site.bucket()
    assert site.ask("PUT", f"/{bucket}/file", b"x", content_type="text/HARMLESS", x_amz_meta_a="HARMLESS").status == 200
    path = site.root / bucket / "file"
    for attribute in os.listxattr(path):
        record = os.getxattr(path, attribute)
        evil = json.dumps("a\r\nset-cookie: evil=1")[1:-1].encode()
        os.setxattr(path, attribute, record.replace(b"HARMLESS", evil))
    answer = site.ask("GET", f"/{bucket}/file")
    assert answer.header(b"set-cookie") is None
    assert answer.status in {200, 500}


@pytest.mark.parametrize(
    "key", ["a\r\nset-cookie: evil=1", "a\nb", "\0", "\x1b[2J", "</Key><Key>evil", "<!--", "]]>", "&e;"]
)
def test_key_with_markup_or_control_characters_stays_text(site: Site, key: str) -> None:
    # Ceph CVE-2020-10753: the key is echoed in errors, listings, Location and the log.
    bucket = site.bucket()
    target = f"/{bucket}/{quote(key)}"
    missing = site.ask("GET", target)
    assert (missing.status, missing.header(b"set-cookie")) == (404, None)
    assert b"<Key>evil" not in missing.body
    upload = site.ask("POST", f"{target}?uploads")
    assert (upload.status, upload.header(b"set-cookie")) == (200, None)
    assert site.ask("PUT", target, b"x").status == 200
    listed = site.ask("GET", f"/{bucket}").body
    assert listed.count(b"<Key>") == 1
    assert b"<Key>evil" not in listed
    lines = site.server.logs[0].read_bytes().splitlines()
    assert not any(line.startswith(b"set-cookie") or b"\x1b" in line for line in lines)


@pytest.mark.parametrize("header", ["origin", "referer", "user-agent", "x-request-id", "x-amz-id-2"])
def test_request_headers_are_not_echoed(site: Site, header: str) -> None:
    # Ceph CVE-2020-10753: CORS headers were the way in.
    answer = ask(site.port, sign_v4(call("GET", "/alice/kept"), ALICE).having((header.encode(), b"evil-value")))
    assert b"evil-value" not in b"".join([value for _, value in answer.headers])
