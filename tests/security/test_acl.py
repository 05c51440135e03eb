"""Canned ACLs from outside: what they grant is granted to exactly those they name, and nothing besides."""

import hashlib
import re
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from tests.security.site import ALICE, BOB, Site, call
from tests.signing import Keys, presign_v4, sign_v2, sign_v4
from tests.wire import Answer, Call, Connection, ask

PUBLIC = b"for everybody"
SECRET = b"for alice alone"
ALL_USERS = b"http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = b"http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
GUESTS = pytest.mark.parametrize("keys", [BOB, None], ids=["another user", "anonymous"])


@dataclass(frozen=True, slots=True)
class Shared:
    """A bucket of Alice's; requests through ``ask`` are those of ``keys``, or of nobody."""

    site: Site
    name: str
    keys: Keys | None

    def ask(
        self, method: str, path: str = "", body: bytes = b"", *, extra: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        request = call(method, f"/{self.name}{path}", body, extra=extra, **headers)
        return ask(self.site.port, request if self.keys is None else sign_v4(request, self.keys))

    def alice(self, method: str, path: str = "", body: bytes = b"", **headers: str) -> Answer:
        return self.site.ask(method, f"/{self.name}{path}", body, extra=headers)


def shared(site: Site, keys: Keys | None, acl: str, **objects: str) -> Shared:
    """A bucket with this ACL, and in it objects by name with theirs."""
    bucket = Shared(site, site.fresh("shared"), keys)
    assert bucket.alice("PUT", x_amz_acl=acl).status == 200
    for key, object_acl in objects.items():
        assert bucket.alice("PUT", f"/{key}", PUBLIC, x_amz_acl=object_acl).status == 200
    return bucket


@GUESTS
def test_public_object_in_a_private_bucket_is_read_and_nothing_else(site: Site, keys: Keys | None) -> None:
    bucket = shared(site, keys, "private", open="public-read", closed="private")
    assert bucket.ask("GET", "/open").body == PUBLIC
    assert bucket.ask("HEAD", "/open").header(b"content-length") == b"%d" % len(PUBLIC)
    assert bucket.ask("GET", "/open", range="bytes=0-2").body == PUBLIC[:3]
    for method, path in (("GET", "/closed"), ("HEAD", "/closed"), ("GET", ""), ("HEAD", ""), ("GET", "?list-type=2")):
        assert bucket.ask(method, path).status == 403
    for method in ("PUT", "DELETE"):
        assert bucket.ask(method, "/open").status == 403
    assert bucket.alice("GET", "/open").body == PUBLIC


@GUESTS
def test_public_bucket_is_listed_and_its_objects_stay_private(site: Site, keys: Keys | None) -> None:
    bucket = shared(site, keys, "public-read", closed="private")
    for path in ("", "?list-type=2", "?versions"):
        assert b"<Key>closed</Key>" in bucket.ask("GET", path).body
    assert bucket.ask("GET", "?uploads").status == 200
    assert bucket.ask("HEAD").status == 200
    assert bucket.ask("GET", "/closed").code == "AccessDenied"
    assert bucket.ask("GET", "/missing").code == "NoSuchKey"
    assert bucket.ask("PUT", "/new", b"x").status == 403


def test_authenticated_read_is_for_every_user_and_for_nobody_else(site: Site) -> None:
    bucket = shared(site, BOB, "authenticated-read", file="authenticated-read")
    assert bucket.ask("GET", "/file").body == PUBLIC
    assert bucket.ask("GET").status == 200
    anonymous = Shared(site, bucket.name, None)
    assert [anonymous.ask("GET", path).status for path in ("/file", "", "/missing")] == [403, 403, 403]


@GUESTS
def test_missing_object_looks_like_a_private_one(site: Site, keys: Keys | None) -> None:
    # Else anybody could find out names by trying.
    bucket = shared(site, keys, "private", closed="private")
    requests: tuple[dict[str, str], ...] = ({}, {"if_match": '"x"'}, {"if_none_match": "*"}, {"range": "bytes=99-"})
    for query in ("", "?versionId=null", "?versionId=x", "?partNumber=1"):
        for headers in requests:
            if query == "?partNumber=1" and "range" in headers:
                continue  # refused before anything is looked up
            answers = [
                bucket.ask("GET", f"/{key}{query}", extra=headers) for key in ("closed", "absent", "closed/below")
            ]
            assert {answer.status for answer in answers} == {403}
            closed, *others = [_without_names(answer.body) for answer in answers]
            assert others == [closed, closed]


def _without_names(document: bytes) -> bytes:
    return re.sub(rb"<(Resource|RequestId)>[^<]*<", b"<", document)


@GUESTS
def test_public_read_write_bucket_takes_and_loses_objects(site: Site, keys: Keys | None) -> None:
    bucket = shared(site, keys, "public-read-write", closed="private")
    assert bucket.ask("PUT", "/new", b"new").status == 200
    assert bucket.alice("GET", "/new").body == b"new"  # it is the bucket owner's
    assert bucket.ask("GET", "/new").status == 403  # and not its author's
    assert bucket.ask("PUT", "/given", b"given", x_amz_acl="public-read").status == 200
    assert bucket.ask("GET", "/given").body == b"given"
    assert bucket.ask("PUT", "/copy", x_amz_copy_source=f"/{bucket.name}/given").status == 200
    assert bucket.ask("PUT", "/stolen", x_amz_copy_source=f"/{bucket.name}/closed").status == 403
    assert bucket.ask("DELETE", "/new").status == 204
    document = b"<Delete><Object><Key>given</Key></Object><Object><Key>copy</Key></Object></Delete>"
    digest = b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()
    assert bucket.ask("POST", "?delete", document, content_md5=digest).body.count(b"<Deleted>") == 2
    assert bucket.alice("GET", "?list-type=2").text("KeyCount") == "1"


@GUESTS
def test_public_read_write_bucket_takes_multipart_uploads(site: Site, keys: Keys | None) -> None:
    bucket = shared(site, keys, "public-read-write", given="public-read", closed="private")
    upload = f"uploadId={bucket.ask('POST', '/joined?uploads', x_amz_acl='public-read').text('UploadId')}"
    etag = (bucket.ask("PUT", f"/joined?partNumber=1&{upload}", b"part").header(b"etag") or b"").decode()
    source = {"x_amz_copy_source": f"/{bucket.name}/given"}
    assert bucket.ask("PUT", f"/joined?partNumber=2&{upload}", extra=source).status == 200
    secret = {"x_amz_copy_source": f"/{bucket.name}/closed"}
    assert bucket.ask("PUT", f"/joined?partNumber=3&{upload}", extra=secret).status == 403
    assert bucket.ask("GET", f"/joined?{upload}").body.count(b"<Part>") == 2
    parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert bucket.ask("POST", f"/joined?{upload}", document).status == 200
    assert bucket.ask("GET", "/joined").body == b"part"
    other = bucket.ask("POST", "/other?uploads").text("UploadId")
    assert bucket.ask("DELETE", f"/other?uploadId={other}").status == 204


NEVER = (
    ("DELETE", ""), ("GET", "?acl"), ("GET", "?location"), ("GET", "?policy"), ("GET", "?tagging"), ("PUT", "?tagging"),
    ("DELETE", "?tagging"), ("GET", "?versioning"), ("GET", "?publicAccessBlock"), ("GET", "/file?acl"),
    ("GET", "/file?attributes"), ("GET", "/file?tagging"), ("PUT", "/file?tagging"), ("DELETE", "/file?tagging"),
    ("GET", "/missing?acl"), ("GET", "/missing?tagging"),
)  # fmt: skip


@GUESTS
@pytest.mark.parametrize(("method", "path"), NEVER)
def test_what_no_acl_grants_is_403(site: Site, keys: Keys | None, method: str, path: str) -> None:
    # RustFS CVE-2026-39360 in spirit: WRITE on a bucket is not the bucket.
    bucket = shared(site, keys, "public-read-write", file="public-read-write")
    before = site.state()
    answer = bucket.ask(method, path, b"<Tagging><TagSet/></Tagging>", x_amz_object_attributes="ETag")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert site.state() == before


@GUESTS
def test_public_bucket_is_in_nobody_else_s_list(site: Site, keys: Keys | None) -> None:
    bucket = shared(site, keys, "public-read-write")
    request = call("GET", "/")
    listed = ask(site.port, request if keys is None else sign_v4(request, keys))
    assert bucket.name.encode() not in listed.body


@pytest.mark.parametrize(
    ("acl", "grants"),
    [
        ("private", []),
        ("bucket-owner-full-control", []),
        ("public-read", [(ALL_USERS, b"READ")]),
        ("public-read-write", [(ALL_USERS, b"READ"), (ALL_USERS, b"WRITE")]),
        ("authenticated-read", [(AUTHENTICATED_USERS, b"READ")]),
    ],
)
def test_acl_is_shown_to_the_owner(site: Site, acl: str, grants: list[tuple[bytes, bytes]]) -> None:
    bucket = shared(site, None, acl, file=acl)
    for path in ("?acl", "/file?acl"):
        document = bucket.alice("GET", path).body
        groups = re.findall(rb"<URI>([^<]*)</URI></Grantee><Permission>([A-Z_]*)<", document)
        assert (groups, document.count(b"FULL_CONTROL")) == (grants, 1)


def test_acl_goes_with_the_object_it_was_given_to(site: Site) -> None:
    bucket = shared(site, None, "private", file="public-read")
    assert bucket.alice("PUT", "/copy", x_amz_copy_source=f"/{bucket.name}/file").status == 200
    assert bucket.ask("GET", "/copy").status == 403
    assert bucket.alice("PUT", "/file", SECRET).status == 200
    assert bucket.ask("GET", "/file").status == 403
    path = site.root / bucket.name / "changed"
    assert bucket.alice("PUT", "/changed", PUBLIC, x_amz_acl="public-read").status == 200
    path.write_bytes(SECRET)
    assert bucket.ask("GET", "/changed").status == 403


def test_bucket_made_again_with_another_acl_is_refused(site: Site) -> None:
    # Ceph s3-tests: test_bucket_recreate_overwrite_acl, test_bucket_recreate_new_acl. 200 would say that it changed.
    bucket = shared(site, None, "public-read")
    assert bucket.alice("PUT", x_amz_acl="public-read").status == 200
    assert bucket.alice("PUT").code == "BucketAlreadyExists"
    assert bucket.ask("GET").status == 200


@pytest.mark.parametrize("name", ["full-control", "read", "read-acp", "write", "write-acp"])
def test_grants_to_somebody_by_name_are_not_implemented(site: Site, name: str) -> None:
    bucket = shared(site, BOB, "private")
    grant = {f"x-amz-grant-{name}": f'uri="{ALL_USERS.decode()}"'}
    assert bucket.site.ask("PUT", f"/{bucket.name}/new", b"x", extra=grant).status == 501
    assert bucket.site.ask("PUT", f"/{site.fresh('granted')}", extra=grant).status == 501
    assert bucket.alice("PUT", "?acl", x_amz_acl="public-read").status == 501
    assert bucket.alice("GET", "/new").status == 404


FORGERIES: tuple[Callable[[Call], Call], ...] = (
    lambda each: sign_v4(each, ALICE.forged),
    lambda each: presign_v4(each, ALICE.forged),
    lambda each: sign_v2(each, ALICE.forged),
    lambda each: sign_v4(each, Keys("AKNOBODY", "nobody-knows-this-one")),
)


@pytest.mark.parametrize("forge", FORGERIES)
def test_bad_signature_does_not_become_an_anonymous_request(site: Site, forge: Callable[[Call], Call]) -> None:
    # MinIO CVE-2025-31489 in spirit: what is public needs no signature, but one that is there must hold.
    bucket = shared(site, None, "public-read-write", file="public-read")
    assert ask(site.port, forge(call("GET", f"/{bucket.name}/file"))).status == 403
    assert ask(site.port, forge(call("PUT", f"/{bucket.name}/file", b"x"))).status == 403
    assert bucket.ask("GET", "/file").body == PUBLIC


def test_anonymous_body_is_what_its_headers_say(site: Site) -> None:
    # MinIO CVE-2026-41145 in spirit: without a signature the framing and the digests count all the same.
    bucket = shared(site, None, "public-read-write")
    digest = hashlib.sha256(b"data").hexdigest()
    assert bucket.ask("PUT", "/file", b"data", x_amz_content_sha256=digest).status == 200
    assert bucket.ask("PUT", "/file", b"forged", x_amz_content_sha256=digest).status == 400
    checksum = b64encode(zlib.crc32(b"data").to_bytes(4, "big"))
    framed = b"4\r\ndata\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % checksum
    chunked = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x_amz_trailer": "x-amz-checksum-crc32"}
    assert bucket.ask("PUT", "/framed", framed, extra=chunked, x_amz_decoded_content_length="4").status == 200
    for key in ("/file", "/framed"):
        assert bucket.alice("GET", key).body == b"data"
    signed = {"x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x_amz_decoded_content_length": "4"}
    assert bucket.ask("PUT", "/signed", framed, extra=signed).status == 403
    assert bucket.alice("GET", "/signed").status == 404


def test_bucket_location_is_the_one_asked_for(site: Site) -> None:
    for location in ("us-east-1", "EU", None):
        name = site.fresh("located")
        element = f"<LocationConstraint>{location}</LocationConstraint>"
        document = f"<CreateBucketConfiguration>{element}</CreateBucketConfiguration>".encode()
        assert site.ask("PUT", f"/{name}", document if location else b"").status == 200
        assert site.ask("GET", f"/{name}?location").text("LocationConstraint[^>]*") == (location or "")


def test_private_object_is_never_served_while_it_takes_turns_with_a_public_one(site: Site) -> None:
    bucket = shared(site, None, "public-read", file="public-read")
    assert bucket.alice("PUT", "/copies", PUBLIC, x_amz_acl="public-read").status == 200
    is_over = threading.Event()

    def take_turns() -> None:
        for turn in range(150):
            body, acl = (PUBLIC, "public-read") if turn % 2 else (SECRET, "private")
            assert bucket.alice("PUT", "/file", body, x_amz_acl=acl).status == 200
        is_over.set()

    writer = threading.Thread(target=take_turns)
    writer.start()
    target = f"/{site.bucket(BOB)}/copy"
    seen = set()
    with Connection(site.port) as connection:
        while not is_over.is_set() and writer.is_alive():
            answer = connection.ask(call("GET", f"/{bucket.name}/file"))
            seen.add((answer.status, answer.body if answer.status == 200 else b""))
            copied = site.ask("PUT", target, keys=BOB, x_amz_copy_source=f"/{bucket.name}/file")
            if copied.status == 200 and copied.code is None:
                seen.add((200, site.ask("GET", target, keys=BOB).body))
    writer.join()
    assert is_over.is_set()
    assert seen <= {(200, PUBLIC), (403, b"")}
    assert seen
