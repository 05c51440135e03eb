"""Row 14 of the advisories: no default keys, no open door by mistake, no secret in a log."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security.logs import secrets_in
from tests.security.site import ALICE, BOB, Site, call
from tests.server import StartError, started
from tests.signing import SIGNED_CHUNKS, Chunks, Keys, presign_v2, presign_v4, sign_v2, sign_v4
from tests.wire import ask

MADE_UP = (
    Keys("minioadmin", "minioadmin"),
    Keys("rustfsadmin", "rustfsadmin"),
    Keys("s3proxy", "s3proxy"),
    Keys("admin", "password"),
)


def test_start_in_signature_mode_without_keys_is_refused(tmp_path: Path) -> None:
    # RustFS GHSA-j59h-h7q5-q348: well-known keys where none were configured.
    with (
        pytest.raises(StartError, match=r"ended with code 2: s3proxy: .*\[\[users\]\].*credentials new"),
        started(tmp_path / "root", tmp_path, settings={"auth": {"mode": "signature"}}),
    ):
        pass


def test_start_in_open_mode_on_another_address_than_loopback_is_refused(tmp_path: Path) -> None:
    # RustFS GHSA-j59h-h7q5-q348.
    with (
        pytest.raises(StartError, match=r"ended with code 2: s3proxy: .*only a loopback"),
        started(tmp_path / "root", tmp_path, settings={"server": {"listen": "0.0.0.0:0"}}),
    ):
        pass


def test_start_with_a_short_secret_is_refused_and_does_not_show_it(tmp_path: Path) -> None:
    # RustFS GHSA-r54g-49rx-98cr: secrets in logs.
    with (
        pytest.raises(StartError, match="secret_key") as refusal,
        started(tmp_path / "root", tmp_path, users=(Keys("AKSHORT", "sh0rt!"),)),
    ):
        pass
    assert "sh0rt!" not in str(refusal.value)


@pytest.mark.parametrize("keys", MADE_UP, ids=lambda keys: keys.access_key)
def test_well_known_keys_are_unknown(site: Site, keys: Keys) -> None:
    # RustFS GHSA-j59h-h7q5-q348.
    answer = ask(site.port, sign_v4(call("GET", "/"), keys))
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


def test_new_credentials_are_different_each_time() -> None:
    command = [sys.executable, "-m", "s3proxy", "credentials", "new", "carol"]
    made = {subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(made) == 2


def requests_of_every_kind(site: Site) -> None:
    """Right and wrong requests with credentials in every place that can hold some."""
    for keys in (ALICE, ALICE.forged, Keys("AKNOBODY", "n0body-knows-this-secret")):
        for target in ("/alice/logged", "/alice?list-type=2", "/alice/%ff", "/bob/x"):
            for sign in (sign_v4, presign_v4, sign_v2, presign_v2):
                ask(site.port, sign(call("GET", target), keys))
                ask(site.port, sign(call("PUT", target, x_amz_security_token="t0ken" * 20), keys))
            ask(site.port, presign_v4(sign_v4(call("GET", target), keys), keys))
    put = sign_v4(call("PUT", "/alice/x", x_amz_decoded_content_length="5"), ALICE, SIGNED_CHUNKS)
    chunks = Chunks(put, BOB)
    body = chunks.frame(b"hello") + chunks.frame(b"") + b"\r\n"
    ask(site.port, replace(put, body=body))
    with site.connect() as connection:
        connection.send(b"GET /alice/kept?X-Amz-Signature=" + b"f" * 64 + b" HTTP/1.1\r\nHost: a\nbroken\r\n\r\n")
        connection.receive()
    with site.connect() as connection:
        connection.send(sign_v4(call("PUT", "/alice/cut", content_length="100"), ALICE).render() + b"short")
        connection.reset()


def test_no_log_line_holds_a_secret_or_a_signature(site: Site) -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889.
    requests_of_every_kind(site)
    time.sleep(0.5)  # the access log is written in the background
    access, output = (log.read_bytes() for log in site.server.logs)
    assert b"/alice/logged" in access
    assert secrets_in(access + output, ALICE, BOB) == []
    assert b"t0kent0ken" not in access + output


def test_no_error_document_holds_a_secret(site: Site) -> None:
    # Ceph CVE-2018-16889 in spirit.
    for sign in (sign_v4, presign_v4, sign_v2, presign_v2):
        answer = ask(site.port, sign(call("GET", "/alice/kept"), ALICE.forged))
        assert answer.status == 403
        assert ALICE.secret_key.encode() not in answer.body


def test_secrets_are_found_where_they_are() -> None:
    """The search itself: what it finds and what it lets pass."""
    lines = (
        b"key " + ALICE.secret_key.encode(),
        b"x " + b"0a" * 32,
        b"?Signature=abc%2F",
        b"AWS AK:" + b"a" * 27 + b"=",
    )
    assert secrets_in(b"\n".join(lines), ALICE) == list(lines)
    assert secrets_in(b"GET /?X-Amz-Signature=... AKALICEALICEALICE234 " + b"0a" * 16, ALICE) == []


def test_process_list_shows_no_secret(site: Site) -> None:
    # Ceph CVE-2018-16889 in spirit: secrets are given by a file, never by an argument or a variable.
    command = Path(f"/proc/{site.server.pid}/cmdline").read_bytes()
    assert not any(keys.secret_key.encode() in command for keys in (ALICE, BOB))
