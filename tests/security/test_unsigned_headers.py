"""Row 4 of the advisories: what was not signed is not believed."""

from collections.abc import Callable

import pytest

from tests.security.site import ALICE, BOB, Site, call
from tests.signing import presign_v2, presign_v4, sign_v2, sign_v4
from tests.wire import Call, ask, ask_all

AMZ_HEADERS = (
    "x-amz-acl", "x-amz-bypass-governance-retention", "x-amz-checksum-algorithm", "x-amz-checksum-crc32",
    "x-amz-checksum-mode", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-copy-source-if-match",
    "x-amz-copy-source-range", "x-amz-date", "x-amz-decoded-content-length", "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control", "x-amz-if-match-size", "x-amz-meta-evil", "x-amz-metadata-directive", "x-amz-mfa",
    "x-amz-mp-object-size", "x-amz-object-attributes", "x-amz-object-lock-mode", "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm", "x-amz-security-token", "x-amz-server-side-encryption", "x-amz-storage-class",
    "x-amz-tagging", "x-amz-tagging-directive", "x-amz-trailer", "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes", "x-amz-anything", "X-AMZ-Copy-Source", "X-Amz-Meta-Evil",
)  # fmt: skip
VALUES = {
    "x-amz-copy-source": b"/alice/kept",
    "x-amz-content-sha256": b"UNSIGNED-PAYLOAD",
    "x-amz-date": b"20130524T000000Z",
    "x-amz-decoded-content-length": b"0",
    "x-amz-trailer": b"x-amz-checksum-crc32",
}
SIGNED: dict[str, Callable[[Call], Call]] = {
    "SigV4 header": lambda each: sign_v4(each, ALICE),
    "SigV4 query": lambda each: presign_v4(each, ALICE),
    "SigV2 header": lambda each: sign_v2(each, ALICE),
    "SigV2 query": lambda each: presign_v2(each, ALICE),
}


@pytest.mark.parametrize("sign", SIGNED.values(), ids=SIGNED.keys())
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_amz_header_added_behind_the_signature_is_403(site: Site, sign: Callable[[Call], Call], method: str) -> None:
    # RustFS GHSA-g8w9-qw9q-fghr, GHSA-xm99-m3gq-83g8.
    before = site.state()
    calls = [
        sign(call(method, "/alice/kept")).having((name.encode(), VALUES.get(name.lower(), b"1")))
        for name in AMZ_HEADERS
    ]
    answers = ask_all(site.port, calls)
    others = {name: answer.status for name, answer in zip(AMZ_HEADERS, answers, strict=True) if answer.status != 403}
    # A second date or mode makes the request ambiguous instead, and nobody has a session token: refused in other words.
    assert {name for name, status in others.items() if status != 400} == set()
    assert set(others) <= {"x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
    assert site.state() == before


@pytest.mark.parametrize("sign", SIGNED.values(), ids=SIGNED.keys())
def test_presigned_put_cannot_be_turned_into_a_copy(site: Site, sign: Callable[[Call], Call]) -> None:
    # RustFS GHSA-g8w9-qw9q-fghr: Bob got a URL to write one key and read another of Alice's with it.
    target = f"/alice/{site.fresh()}"
    answer = ask(site.port, sign(call("PUT", target)).having((b"x-amz-copy-source", b"/alice/kept")))
    assert (answer.status, site.ask("GET", target).status) == (403, 404)


@pytest.mark.parametrize("sign", SIGNED.values(), ids=SIGNED.keys())
def test_presigned_put_without_the_added_header_is_200(site: Site, sign: Callable[[Call], Call]) -> None:
    target = f"/alice/{site.fresh()}"
    assert ask(site.port, sign(call("PUT", target, b"mine"))).status == 200
    assert site.ask("GET", target).body == b"mine"


@pytest.mark.parametrize("sign", SIGNED.values(), ids=SIGNED.keys())
def test_signed_amz_header_sent_twice_is_403(site: Site, sign: Callable[[Call], Call]) -> None:
    # RustFS GHSA-xm99-m3gq-83g8: the copy that was signed and the copy that was honoured were not the same.
    target = f"/alice/{site.fresh()}"
    signed = sign(call("PUT", target, x_amz_copy_source="/alice/kept"))
    for header in ((b"x-amz-copy-source", b"/alice/other"), (b"X-Amz-Copy-Source", b"")):
        assert ask(site.port, signed.having(header)).status == 403
    assert site.ask("GET", target).status == 404


@pytest.mark.parametrize(
    "parameter",
    [
        "x-amz-copy-source=%2Falice%2Fkept",
        "X-Amz-Copy-Source=%2Falice%2Fkept",
        "uploads",
        "acl",
        "tagging",
        "versionId=null",
    ],
)
@pytest.mark.parametrize("sign", SIGNED.values(), ids=SIGNED.keys())
def test_parameter_added_behind_the_signature_changes_nothing(
    site: Site, sign: Callable[[Call], Call], parameter: str
) -> None:
    target = f"/alice/{site.fresh()}"
    signed = sign(call("PUT", target))
    added = Call(
        signed.method, signed.target + (b"&" if b"?" in signed.target else b"?") + parameter.encode(), signed.headers
    )
    answer = ask(site.port, added)
    # SigV2 does not sign parameters that are no sub-resources; those must then have no effect.
    is_v2 = b"X-Amz-Signature" not in added.target and b"AWS4-" not in added.render()
    assert answer.status == 403 or (is_v2 and answer.status == 200 and answer.body == b"")
    stored = site.ask("GET", target)
    assert stored.status == 404 or stored.body == b""


def test_presigned_header_that_was_signed_must_arrive(site: Site) -> None:
    # The reverse: a condition that the signer set cannot be left out by the one who sends.
    target = f"/alice/{site.fresh()}"
    signed = presign_v4(call("PUT", target, b"x", if_none_match="*"), ALICE)
    assert ask(site.port, Call(signed.method, signed.target, signed.headers[:1], b"x")).status == 403


def test_host_left_out_of_the_signature_is_403(site: Site) -> None:
    assert ask(site.port, sign_v4(call("GET", "/alice/kept"), ALICE, unsigned=(b"host",))).status == 403


def test_signature_for_another_user_does_not_open_a_bucket(site: Site) -> None:
    assert site.ask("GET", "/alice/kept", keys=BOB).status == 403
