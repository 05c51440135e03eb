"""Rows 1 to 3 of the advisories: nothing is reached but through the one check of the signature."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests import signing
from tests.security.site import ALICE, BOB, KEPT, Site, call
from tests.signing import now, presign_v2, presign_v4, sign_v2, sign_v4
from tests.wire import HOST, Call, ask, ask_all

# OPTIONS is not among them: a preflight carries no credentials by design, and whatever it asks is refused.
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
LEVELS = ("/", "/alice", "/alice/kept", "/api/v1/s3/alice/kept", "/nobodys", "/nobodys/file")
SUBRESOURCES = (
    "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
    "legal-hold", "lifecycle", "list-type=2", "location", "logging", "metadataTable", "metrics", "notification",
    "object-lock", "ownershipControls", "partNumber=1", "partNumber=1&uploadId=x", "policy", "policyStatus",
    "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select&select-type=2", "session",
    "tagging", "torrent", "uploadId=x", "uploads", "versionId=null", "versioning", "versions", "website", "unheard-of",
)  # fmt: skip
MODES = (
    None,
    signing.UNSIGNED,
    signing.SIGNED_CHUNKS,
    signing.SIGNED_CHUNKS_TRAILER,
    signing.UNSIGNED_TRAILER,
)
ADMINISTRATION = (
    "/metrics",
    "/healthz",
    "/readyz",
    "/debug/pprof",
    "/minio/admin/v3/info",
    "/rustfs/rpc/read_file_stream",
)


def routes() -> list[Call]:
    """Every method on every sub-resource of every level, and the copies, which differ by a header only."""
    found = [
        call(method, level + query)
        for method, level in itertools.product(METHODS, LEVELS)
        for query in ("", *(f"?{name}" for name in SUBRESOURCES))
    ]
    found += [
        call("PUT", "/alice/kept" + query, x_amz_copy_source="/alice/kept")
        for query in ("", "?partNumber=1&uploadId=x")
    ]
    return found + [call(method, path) for method in METHODS for path in ADMINISTRATION]


def refused_all(site: Site, calls: list[Call], status: int = 403) -> None:
    """Each call is answered ``status``, with nothing done."""
    before = site.state()
    answers = ask_all(site.port, calls)
    others = [
        (each.method, each.target, answer.status)
        for each, answer in zip(calls, answers, strict=True)
        if answer.status != status
    ]
    assert others == []
    assert site.state() == before


@pytest.fixture(scope="module", autouse=True)
def nobodys(site: Site) -> None:
    """A bucket of a file-system program, which belongs to no user."""
    (site.root / "nobodys").mkdir(exist_ok=True)
    (site.root / "nobodys" / "file").write_bytes(b"of a program")


def test_every_route_without_credentials_is_403_or_not_there_for_anybody(site: Site) -> None:
    # MinIO CVE-2026-40344: a side handler that skipped the signature check.
    calls = routes()
    before = site.state()
    answers = dict(zip(calls, ask_all(site.port, calls), strict=True))
    assert site.state() == before
    # ListBuckets shows what the caller owns; to nobody that is nothing, as in Ceph.
    shown = [answer.body for answer in answers.values() if answer.status == 200]
    assert all(b"<Buckets></Buckets>" in body for body in shown)
    # A route or a bucket that does not exist is answered so to those who may use buckets and to those who may not.
    absent = {each: answer.status for each, answer in answers.items() if answer.status not in {200, 403}}
    signed = ask_all(site.port, [sign_v4(each, ALICE) for each in absent])
    assert set(absent.values()) == {404, 405, 501}
    assert [answer.status for answer in signed] == list(absent.values())


FORGERIES: dict[str, Callable[[Call], Call]] = {
    "SigV4 header": lambda each: sign_v4(each, ALICE.forged),
    "SigV4 query": lambda each: presign_v4(each, ALICE.forged),
    "SigV2 header": lambda each: sign_v2(each, ALICE.forged),
    "SigV2 query": lambda each: presign_v2(each, ALICE.forged),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_every_route_with_a_forged_signature_is_403(site: Site, forge: Callable[[Call], Call]) -> None:
    # MinIO CVE-2026-40344, CVE-2025-31489.
    refused_all(site, [forge(each) for each in routes()])


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("place", ["SigV4 header", "SigV4 query", "SigV2 header", "SigV2 query"])
def test_every_route_with_a_forged_signature_in_each_payload_mode_is_403(site: Site, place: str, mode: bytes) -> None:
    # MinIO CVE-2025-31489 (header) and CVE-2026-41145 (query): unsigned-trailer uploads were not verified.
    calls = [each for each in routes() if not each.target.startswith(b"/api")]
    calls = [each.having((b"x-amz-decoded-content-length", b"0")) for each in calls]
    if place == "SigV4 header":
        forged = [sign_v4(each, ALICE.forged, mode) for each in calls]
    else:
        forged = [FORGERIES[place](each.having((b"x-amz-content-sha256", mode))) for each in calls]
    # SigV2 has no chunk signatures; that such a request makes no sense is found out before who sent it.
    is_refused_earlier = place.startswith("SigV2") and mode.startswith(b"STREAMING-AWS4")
    refused_all(site, forged, 400 if is_refused_earlier else 403)


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("place", ["header", "query"])
def test_put_with_a_body_and_a_forged_signature_is_403_and_stores_nothing(site: Site, place: str, mode: bytes) -> None:
    # MinIO CVE-2025-31489, CVE-2026-41145: exactly this stored the object.
    body = b"5\r\nevil!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    put = call("PUT", "/alice/kept", body, x_amz_decoded_content_length="5", x_amz_trailer="x-amz-checksum-crc32")
    if place == "query":
        forged = presign_v4(put.having((b"x-amz-content-sha256", mode)), ALICE.forged)
    else:
        forged = sign_v4(put, ALICE.forged, mode)
    answer = ask(site.port, forged)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert site.ask("GET", "/alice/kept").body == KEPT


@pytest.mark.parametrize("mode", [signing.ECDSA, signing.ECDSA_TRAILER])
def test_put_in_an_ecdsa_mode_is_refused_clearly(site: Site, mode: bytes) -> None:
    # MinIO CVE-2025-31489: a mode that is not verified must not be accepted.
    put = call("PUT", "/alice/kept", b"x", x_amz_decoded_content_length="1")
    assert ask(site.port, sign_v4(put, ALICE, mode)).status == 501
    assert ask(site.port, sign_v4(put, ALICE.forged, mode)).status in {403, 501}
    assert site.ask("GET", "/alice/kept").body == KEPT


@pytest.mark.parametrize("mode", [b"", b"UNSIGNED", b"unsigned-payload", b"STREAMING-", b"0" * 63, b"g" * 64])
def test_put_in_an_unknown_mode_is_refused(site: Site, mode: bytes) -> None:
    answer = ask(site.port, sign_v4(call("PUT", f"/alice/{site.fresh()}", b"x"), ALICE, mode))
    assert answer.status in {400, 403}


def test_put_with_another_body_than_the_signed_digest_is_refused_and_stores_nothing(site: Site) -> None:
    signed = sign_v4(call("PUT", "/alice/kept", b"first"), ALICE)
    answer = ask(site.port, Call(signed.method, signed.target, signed.headers, b"other"))
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert site.ask("GET", "/alice/kept").body == KEPT


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_body_behind_a_signature_that_says_nothing_of_it_is_refused(site: Site, method: str) -> None:
    # MinIO CVE-2025-31489 in spirit: old clients sign without x-amz-content-sha256, which vouches for no body at all.
    bare = call(method, "/alice/kept" if method == "PUT" else "/alice?delete")
    signed = sign_v4(bare, ALICE, unsigned=(b"x-amz-content-sha256",))
    headers = tuple(header for header in signed.headers if header[0] != b"x-amz-content-sha256")
    body = b"<Delete><Object><Key>kept</Key></Object></Delete>"
    answer = ask(site.port, replace(signed, headers=headers, body=body))
    assert answer.status in {400, 403}
    chunked = ((b"transfer-encoding", b"chunked"), (b"x-amz-decoded-content-length", b"%d" % len(body)))
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert ask(site.port, replace(signed, headers=(*headers, *chunked), body=framed)).status in {400, 403}
    assert site.ask("GET", "/alice/kept").body == KEPT


PLACES: dict[str, Callable[[Call], Call]] = {
    "SigV4 header": lambda each: sign_v4(each, ALICE),
    "SigV4 query": lambda each: presign_v4(each, ALICE),
    "SigV2 header": lambda each: sign_v2(each, ALICE),
    "SigV2 query": lambda each: presign_v2(each, ALICE),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_get_with_credentials_in_one_place_is_200(site: Site, place: Callable[[Call], Call]) -> None:
    answer = ask(site.port, place(call("GET", "/alice/kept")))
    assert (answer.status, answer.body) == (200, KEPT)


@pytest.mark.parametrize(
    ("first", "second"), tuple(itertools.permutations(PLACES, 2)), ids=lambda name: str(name).replace(" ", "-")
)
@pytest.mark.parametrize("mode", MODES[:2])
def test_get_with_credentials_in_two_places_is_refused(site: Site, first: str, second: str, mode: bytes | None) -> None:
    # MinIO CVE-2026-41145: one of the two was checked and the other believed.
    bare = call("GET", "/alice/kept")
    both = PLACES[second](PLACES[first](bare))
    if mode is not None and b"x-amz-content-sha256" not in dict(both.headers):
        both = both.having((b"x-amz-content-sha256", mode))
    answer = ask(site.port, both)
    assert answer.status in {400, 403}
    assert KEPT not in answer.body


@pytest.mark.parametrize("mode", MODES[1:])
def test_put_with_valid_query_credentials_and_a_forged_header_is_refused(site: Site, mode: bytes) -> None:
    # MinIO CVE-2026-41145, each mode: the header's mode must not switch off the query's signature or the reverse.
    target = f"/alice/{site.fresh()}"
    put = presign_v4(call("PUT", target, b"x"), ALICE)
    forged = sign_v4(put, ALICE.forged, mode)
    assert ask(site.port, forged).status in {400, 403}
    assert site.ask("GET", target).status == 404


@pytest.mark.parametrize("shift", [-3600, 3600])
def test_get_signed_at_another_hour_is_403(site: Site, shift: int) -> None:
    assert ask(site.port, sign_v4(call("GET", "/alice/kept"), ALICE, at=now() + shift)).status == 403


def test_get_presigned_and_expired_is_403(site: Site) -> None:
    expired = presign_v4(call("GET", "/alice/kept"), ALICE, expires_seconds=10, at=now() - 60)
    assert ask(site.port, expired).status == 403
    assert ask(site.port, presign_v2(call("GET", "/alice/kept"), ALICE, expires_at=now() - 60)).status == 403


def test_get_presigned_for_longer_than_a_week_is_refused(site: Site) -> None:
    assert ask(site.port, presign_v4(call("GET", "/alice/kept"), ALICE, expires_seconds=604_801)).status in {400, 403}


def test_get_with_one_changed_character_anywhere_in_the_signed_request_is_not_200(site: Site) -> None:
    signed = sign_v4(call("GET", "/alice/kept?response-content-type=text%2Fplain"), ALICE)
    head = signed.render()
    host = head.index(b"s3.test")
    places = [
        head.index(b"kept"),
        head.index(b"text"),
        host,
        head.index(b"Signature=") + 12,
        head.index(b"SignedHeaders=h") + 14,
    ]
    for place in places:
        changed = head[:place] + (b"a" if head[place : place + 1] != b"a" else b"b") + head[place + 1 :]
        with site.connect() as connection:
            connection.send(changed)
            assert connection.receive().status in {400, 403}, changed


# In virtual-host style the bucket is in the Host header, so that must be vouched for too.


def hosted(bucket: str, path: str = "/kept") -> Call:
    return Call(b"GET", path.encode(), ((b"host", f"{bucket}.".encode() + HOST),))


@pytest.mark.parametrize("place", FORGERIES)
def test_virtual_hosted_bucket_needs_a_signature_too(site: Site, place: str) -> None:
    # MinIO CVE-2026-40344 in spirit: another way in, the same check.
    assert ask(site.port, hosted("alice")).status == 403
    assert ask(site.port, FORGERIES[place](hosted("alice"))).status == 403
    if place.startswith("SigV4"):
        assert ask(site.port, PLACES[place](hosted("alice"))).body == KEPT


@pytest.mark.parametrize("place", PLACES)
def test_signature_for_one_host_does_not_serve_another(site: Site, place: str) -> None:
    # CVE-2026-42882 in spirit: what was signed is what is opened.
    signed = PLACES[place](hosted("bob"))
    moved = replace(signed, headers=(hosted("alice").headers[0], *signed.headers[1:]))
    assert ask(site.port, moved).status == 403
    # Neither does one for a path of the plain host, and a bucket that is both in the host and in the path is a key.
    signed = PLACES[place](call("GET", "/kept"))
    moved = replace(signed, headers=(hosted("alice").headers[0], *signed.headers[1:]))
    assert ask(site.port, moved).status == 403
    assert ask(site.port, sign_v4(hosted("bob", "/alice/kept"), BOB)).status == 404
