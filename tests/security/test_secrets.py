"""Row 14 of the advisories: no default keys, no open door by mistake, no secret in a log."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security.logs import secrets_in
from tests.security.site import ALICE, BOB, Site, call
from tests.server import Settings, StartError, started
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


TOKEN = "admin-token-of-this-node-0123456789"
STORE_SECRET = "secret-of-the-store-behind-0123456789"
SSE_C_KEY = "c2VjcmV0LWtleS1vZi10aGUtY2xpZW50LTAxMjM0NTY="
# What has forged lines and taken over terminals: line ends, escape sequences in 7 and 8 bits, NUL, DEL, text that runs
# backwards (CVE-2021-42574), line separators of Unicode, and bytes that are no UTF-8.
HOSTILE = [
    b"\r\nforged",
    b"\nforged",
    b"\x1b[2J",
    b"\x9b2J",
    b"\x00",
    b"\x7f",
    "\u202e".encode(),
    "\u2028".encode(),
    b"\xff\xfe",
]


@contextmanager
def telling_all(base: Path, form: str) -> Iterator[tuple[Site, Callable[[], bytes]]]:
    """A node with every log on, and what they hold so far."""
    behind = {"kind": "s3", "endpoint": "http://127.0.0.1:9", "access_key": "AKBEHIND", "secret_key": STORE_SECRET}
    settings: Settings = {
        "log": {"format": form, "audit": str(base / "audit.log")},
        "admin": {"listen": "127.0.0.1:0", "token": TOKEN},
        "stores": [{"name": "away", "deadline_seconds": 0.5, **behind}],
        "mount": [{"bucket": "away", "store": "away"}],
    }
    with started(base / "root", base / "scratch", users=(ALICE, BOB), settings=settings) as server:
        site = Site(server, base, server.root)
        assert site.ask("PUT", "/alice").status == 200
        yield site, lambda: b"".join(path.read_bytes() for path in (*server.logs, base / "audit.log"))


def escaped(raw: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in raw)


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_log_holds_a_secret_in_any_form(form: str, tmp_path: Path) -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889.
    with telling_all(tmp_path, form) as (site, said):
        requests_of_every_kind(site)
        site.ask("GET", "/away/k")  # a store that cannot be reached is told of, but not its keys
        for name in (
            "x-amz-server-side-encryption-customer-key",
            "x-amz-copy-source-server-side-encryption-customer-key",
        ):
            site.ask("PUT", "/alice/sse", b"x", extra={name: SSE_C_KEY})
            site.ask("GET", f"/alice/sse?{name}={SSE_C_KEY}&{name.replace('-', '%2D')}={SSE_C_KEY}")
        site.ask("GET", f"/alice?token={TOKEN}", extra={"authorization_": f"Bearer {TOKEN}"})
        time.sleep(0.5)  # the access log is written in the background
    log = said()
    assert b"/alice/logged" in log
    assert b"away" in log
    assert secrets_in(log, ALICE, BOB) == []
    assert [secret for secret in (TOKEN, STORE_SECRET, SSE_C_KEY, "t0kent0ken") if secret.encode() in log] == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_log_line_can_be_forged_or_reach_the_terminal(form: str, tmp_path: Path) -> None:
    # CWE-117, CVE-2021-42574 in spirit: what clients choose is text of one line, whatever it is made of.
    with telling_all(tmp_path, form) as (site, said):
        for raw in HOSTILE:
            target = f"/alice/{escaped(raw)}"
            site.ask("PUT", target, b"x")
            site.ask("GET", f"{target}?prefix={escaped(raw)}&{escaped(raw)}", keys=BOB)
            site.ask("DELETE", target)
            site.ask("PUT", "/alice/meta", b"x", x_amz_meta_note=escaped(raw), user_agent=f"a{chr(raw[-1] | 0x80)}b")
            with site.connect() as connection:
                connection.send(b"GET /alice/k HTTP/1.1\r\nHost: a\r\nUser-Agent: " + raw + b"\r\n\r\n")
                connection.receive()
        time.sleep(0.5)
    log = said()
    assert log.count(b"DeleteObject") >= 2 * (len(HOSTILE) - 3)
    for line in log.split(b"\n"):
        assert line.isascii()
        assert line.decode().isprintable()
        assert not line.startswith(b"forged")
        assert form == "console" or not line or json.loads(line)


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
