"""Row 13 of the advisories: a copy reads its source, so it needs the right to."""

import pytest

from tests.security.site import ALICE, BOB, KEPT, Site

SOURCES = (
    "/alice/kept",
    "alice/kept",
    "/alice/kept?versionId=null",
    "/alice/%6bept",
    "alice%2Fkept",
    "/alice/missing",
    "/bob/../alice/kept",
)


@pytest.mark.parametrize("source", SOURCES)
def test_copy_of_another_user_s_object_is_refused(site: Site, source: str) -> None:
    # RustFS CVE-2026-39360.
    target = f"/bob/{site.fresh()}"
    answer = site.ask("PUT", target, keys=BOB, x_amz_copy_source=source)
    assert answer.status == (404 if ".." in source else 403)
    assert site.ask("GET", target, keys=BOB).status == 404


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("span", [None, "bytes=0-3"])
def test_part_copy_of_another_user_s_object_is_refused(site: Site, source: str, span: str | None) -> None:
    # RustFS CVE-2026-39360: exactly this.
    key = site.fresh()
    upload = site.upload("bob", key, BOB)
    headers = {} if span is None else {"x_amz_copy_source_range": span}
    target = f"/bob/{key}?partNumber=1&uploadId={upload}"
    answer = site.ask("PUT", target, keys=BOB, x_amz_copy_source=source, extra=headers)
    assert answer.status == (404 if ".." in source else 403)
    assert b"<Part>" not in site.ask("GET", f"/bob/{key}?uploadId={upload}", keys=BOB).body
    assert site.ask("DELETE", f"/bob/{key}?uploadId={upload}", keys=BOB).status == 204


def test_conditions_on_another_user_s_source_tell_nothing(site: Site) -> None:
    # RustFS CVE-2026-39360 in spirit: 412 instead of 403 would tell the ETag.
    for headers in ({"x_amz_copy_source_if_match": '"x"'}, {"x_amz_copy_source_if_none_match": "*"}):
        answer = site.ask("PUT", f"/bob/{site.fresh()}", keys=BOB, x_amz_copy_source="/alice/kept", extra=headers)
        assert answer.status == 403


def test_copy_into_another_user_s_bucket_is_refused(site: Site) -> None:
    # RustFS CVE-2026-39360, the other way round.
    assert site.ask("PUT", "/bob/mine", b"mine", keys=BOB).status == 200
    target = f"/alice/{site.fresh()}"
    assert site.ask("PUT", target, keys=BOB, x_amz_copy_source="/bob/mine").status == 403
    assert site.ask("DELETE", "/bob/mine", keys=BOB).status == 204
    assert site.ask("GET", target).status == 404


OPERATIONS = (
    ("GET", "/alice", b""),
    ("GET", "/alice?list-type=2", b""),
    ("GET", "/alice?versions", b""),
    ("GET", "/alice?uploads", b""),
    ("GET", "/alice?location", b""),
    ("GET", "/alice?acl", b""),
    ("HEAD", "/alice", b""),
    ("DELETE", "/alice", b""),
    ("GET", "/alice?tagging", b""),
    ("PUT", "/alice?tagging", b"<Tagging><TagSet/></Tagging>"),
    ("DELETE", "/alice?tagging", b""),
    ("POST", "/alice?delete", b"<Delete><Object><Key>kept</Key></Object></Delete>"),
    ("GET", "/alice/kept", b""),
    ("HEAD", "/alice/kept", b""),
    ("PUT", "/alice/kept", b"bob was here"),
    ("DELETE", "/alice/kept", b""),
    ("GET", "/alice/kept?attributes", b""),
    ("GET", "/alice/kept?acl", b""),
    ("GET", "/alice/kept?tagging", b""),
    ("PUT", "/alice/kept?tagging", b"<Tagging><TagSet/></Tagging>"),
    ("DELETE", "/alice/kept?tagging", b""),
    ("POST", "/alice/kept?uploads", b""),
    ("GET", "/alice/missing", b""),
    ("DELETE", "/alice/missing", b""),
    ("PUT", "/alice/kept?partNumber=1&uploadId=x", b"x"),
    ("GET", "/alice/kept?uploadId=x", b""),
    ("DELETE", "/alice/kept?uploadId=x", b""),
    ("POST", "/alice/kept?uploadId=x", b"<CompleteMultipartUpload/>"),
)


@pytest.mark.parametrize(("method", "target", "body"), OPERATIONS)
def test_every_operation_on_another_user_s_bucket_is_403(site: Site, method: str, target: str, body: bytes) -> None:
    # RustFS CVE-2026-39360 in spirit: one operation that forgets to ask is enough.
    before = site.state()
    answer = site.ask(method, target, body, keys=BOB, x_amz_object_attributes="ETag")
    assert answer.status == 403
    assert answer.code in {"AccessDenied", None}
    assert site.state() == before
    assert site.ask("GET", "/alice/kept", keys=ALICE).body == KEPT


def test_creating_a_bucket_that_another_user_owns_is_409(site: Site) -> None:
    assert site.ask("PUT", "/alice", keys=BOB).code == "BucketAlreadyExists"
    assert site.ask("GET", "/alice/kept", keys=BOB).status == 403


def test_list_buckets_shows_the_caller_s_own_only(site: Site) -> None:
    listed = site.ask("GET", "/", keys=BOB).body
    assert b"<Name>bob</Name>" in listed
    assert b"<Name>alice</Name>" not in listed
