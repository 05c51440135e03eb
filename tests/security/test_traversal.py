"""Rows 7 and 8 of the advisories: no name leads out of a bucket, and the key that was authorised is the key opened."""

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.site import ALICE, BOB, CANARY, KEPT, Site, call
from tests.signing import sign_v4
from tests.wire import ask

WAYS_OUT = [
    "../outside/canary",
    "../../outside/canary",
    "%2e%2e/outside/canary",
    "%2e%2e%2foutside%2fcanary",
    "..%2f..%2foutside%2fcanary",
    "%252e%252e%252foutside%252fcanary",
    "..%5c..%5coutside%5ccanary",
    "..\\..\\outside\\canary",
    "a/../../../outside/canary",
    "./../../outside/canary",
    ".%2e/.%2e/outside/canary",
    "....//....//outside/canary",
    "..;/..;/outside/canary",
    "%c0%ae%c0%ae/%c0%ae%c0%ae/outside/canary",
    "%c0%2e%c0%2e/outside/canary",
    "..%c0%af..%c0%afoutside%c0%afcanary",
    "%e0%80%ae%e0%80%ae/outside/canary",
    "..%00/..%00/outside/canary",
    "..%00/canary",
    "%2e%2e%00",
    "kept%00/../../../outside/canary",
    "kept%00",
    "//outside/canary",
    "{base}/outside/canary",
    "/{base}/outside/canary",
    "%2f{escaped}%2foutside%2fcanary",
    "file://{base}/outside/canary",
    "../.s3proxy/uploads",
    "..%2f.s3proxy%2fuploads",
    "../bob/x",
    "%2e%2e%2fbob%2fx",
    "..",
    "%2e%2e",
    ".",
    "%2e",
    "..%2f",
    "../",
    "%u002e%u002e/outside/canary",
    "..%ef%bc%8foutside%ef%bc%8fcanary",
    "~/canary",
    "/proc/self/environ",
    "%2fproc%2fself%2fenviron",
    "/dev/fd/3",
    ".%d../.%d../outside/canary",
    ".%25d../.%25d../outside/canary",
    ".%25f..",
    ".%25d%2500",
]


@pytest.fixture(params=WAYS_OUT)
def way_out(site: Site, request: pytest.FixtureRequest) -> str:
    base = str(site.base)
    return str(request.param).format(base=base, escaped=quote(base[1:], safe=""))


@pytest.mark.usefixtures("untouched")
def test_key_that_would_lead_out_is_just_a_key(site: Site, way_out: str) -> None:
    # gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg.
    bucket = site.bucket()
    target = f"/{bucket}/{way_out}"
    assert site.ask("GET", target).status in {400, 404}
    put = site.ask("PUT", target, b"harmless")
    assert put.status in {200, 400}
    got = site.ask("GET", target)
    assert (got.status, got.body) == (200, b"harmless") if put.status == 200 else got.status == 400
    listed = site.ask("GET", f"/{bucket}?encoding-type=url").body
    assert (b"<Key>" in listed) == (put.status == 200)
    assert site.ask("DELETE", target).status == (204 if put.status == 200 else 400)
    assert site.ask("GET", target).status in {400, 404}


@pytest.mark.usefixtures("untouched")
def test_copy_source_that_would_lead_out_is_just_a_key(site: Site, way_out: str) -> None:
    # gaul/s3proxy #769.
    target = f"/alice/{site.fresh()}"
    for source in (f"/alice/{way_out}", f"alice/{way_out}", way_out, f"/{way_out}"):
        answer = site.ask("PUT", target, x_amz_copy_source=source)
        assert answer.status in {400, 403, 404}, source
        assert CANARY not in answer.body
    assert site.ask("GET", target).status == 404


@pytest.mark.usefixtures("untouched")
def test_bucket_name_that_would_lead_out_is_refused(site: Site, way_out: str) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg.
    for target in (f"/{way_out}", f"/{quote(way_out, safe='%')}/canary", f"/api/v1/s3/{way_out}"):
        for method in ("GET", "PUT", "DELETE", "POST"):
            answer = site.ask(method, target)
            # "~", "file:" and the like name no bucket; where the first segment is a valid name there is none of it.
            assert answer.status in {400, 403, 404, 405, 409, 411, 501} or (method == "PUT" and answer.status == 200), (
                target
            )
            assert CANARY not in answer.body


@pytest.mark.usefixtures("untouched")
def test_prefix_and_markers_that_would_lead_out_list_nothing(site: Site, way_out: str) -> None:
    # gaul/s3proxy #769.
    for name in ("prefix", "marker", "start-after", "key-marker", "delimiter", "continuation-token"):
        for kind in ("list-type=2&", "", "versions&", "uploads&"):
            answer = site.ask("GET", f"/bob?{kind}{name}={quote(way_out, safe='%')}", keys=BOB)
            assert answer.status in {200, 400}
            assert b"<Contents>" not in answer.body
            assert b"canary</Key>" not in answer.body


@pytest.mark.usefixtures("untouched")
def test_upload_id_that_would_lead_out_names_no_upload(site: Site, way_out: str) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg.
    done = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
    query = f"uploadId={quote(way_out, safe='%')}"
    for method, target, body in (
        ("PUT", f"/alice/key?partNumber=1&{query}", b"part"),
        ("GET", f"/alice/key?{query}", b""),
        ("POST", f"/alice/key?{query}", done),
        ("DELETE", f"/alice/key?{query}", b""),
    ):
        assert site.ask(method, target, body).status in {400, 404}


@pytest.mark.parametrize(
    "name", [".s3proxy", "%2es3proxy", "..", ".", "a%2f..", "a%00", "a%2fb", "%2e%2e%2foutside", "-%5c.."]
)
def test_bucket_that_is_hidden_or_no_name_is_refused(site: Site, name: str) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg: the system's own directory was reachable as a bucket.
    for method, tail in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/tmp"),
        ("PUT", "/tmp/x"),
        ("DELETE", "/uploads"),
    ):
        assert site.ask(method, f"/{name}{tail}").status == 400


def test_hidden_directory_is_not_listed_as_a_bucket(site: Site) -> None:
    assert b"s3proxy" not in site.ask("GET", "/").body.partition(b"<Buckets>")[2]


def test_upload_of_another_key_or_bucket_cannot_be_used(site: Site) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg.
    upload = site.upload("alice", "mine")
    other = site.bucket()
    for target in ("/alice/yours", f"/{other}/mine"):
        assert site.ask("PUT", f"{target}?partNumber=1&uploadId={upload}", b"x").status == 404
        assert site.ask("GET", f"{target}?uploadId={upload}").status == 404
        assert site.ask("DELETE", f"{target}?uploadId={upload}").status == 404
    assert site.ask("GET", f"/alice/mine?uploadId={upload}", keys=BOB).status == 403
    assert site.ask("DELETE", f"/alice/mine?uploadId={upload}").status == 204


# Row 8: one decode, one key


def escapes(character: str) -> st.SearchStrategy[str]:
    raw = "".join(f"%{byte:02x}" for byte in character.encode())
    plain = character if character in "abcdefghijklmnopqrstuvwxyz0123456789-_.~/" else raw
    return st.sampled_from([plain, raw, raw.upper()])


KEYS = st.lists(
    st.sampled_from(["..", ".", "", "kept", "alice", "bob", "%2e", "a", "%", "+", " ", "é", "%2f"]),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_authorised_key_is_the_opened_key_however_it_is_escaped(site: Site, data: st.DataObject) -> None:
    # CVE-2026-42882, CVE-2026-30914: the path was decoded again, or cleaned, behind the check.
    key = "/".join(data.draw(KEYS))
    raw = "".join(data.draw(escapes(character)) for character in key)
    if not raw:
        return
    content = key.encode() + b" of bob"
    assert ask(site.port, sign_v4(call("PUT", f"/bob/{raw}", content), BOB)).status == 200
    decoded = quote(unquote_to_bytes(raw), safe="").encode()
    assert ask(site.port, sign_v4(call("GET", b"/bob/" + decoded), BOB)).body == content
    listed = ask(site.port, sign_v4(call("GET", b"/bob?encoding-type=url&prefix=" + decoded), BOB)).body
    assert b"<Key>%b</Key>" % quote(key, safe="/").encode() in listed
    # However the path is written, what Bob may not see he does not see.
    for path in (f"/alice/{raw}", f"/api/v1/s3/alice/{raw}"):
        assert ask(site.port, sign_v4(call("GET", path), BOB)).status == 403
    assert ask(site.port, sign_v4(call("DELETE", f"/bob/{raw}"), BOB)).status == 204
    assert site.ask("GET", "/alice/kept", keys=ALICE).body == KEPT


@pytest.mark.parametrize(
    "path",
    [
        "/bob/../alice/kept",
        "/bob/%2e%2e/alice/kept",
        "/bob%2f..%2falice/kept",
        "//alice/kept",
        "/./alice/kept",
        "/%61lice/kept",
        "/ALICE/kept",
        "/alice%2fkept",
        "/alice//kept",
        "/bob/..;/alice/kept",
        "/api/v1/s3/../../alice/kept",
        "/api/v1/s3//alice/kept",
        "/alice\\kept",
        "/alice/kept%00",
        "/alice/kept/",
        "/alice/./kept",
        "/alice/kept?",
        "/alice/kept#x",
    ],
)
def test_no_spelling_of_the_path_opens_another_user_s_object(site: Site, path: str) -> None:
    # CVE-2026-42882, CVE-2026-30914.
    for headers in (
        {},
        {"x_original_url": "/alice/kept"},
        {"x_rewrite_url": "/alice/kept"},
        {"x_http_method_override": "GET"},
    ):
        answer = site.ask("GET", path, keys=BOB, extra=headers)
        assert answer.status in {400, 403, 404}
        assert KEPT not in answer.body


def test_tree_holds_nothing_but_what_was_put(site: Site) -> None:
    """The root of the site has the buckets and the hidden directory, and nothing that an escaped key left there."""
    assert all(Path(name).name == name and name != ".." for name in os.listdir(site.root))
    assert not (site.base / "kept").exists()
