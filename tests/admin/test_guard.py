import pytest

from s3proxy.admin.answers import RefusedError
from s3proxy.admin.guard import Guard

TOKEN = "0123456789abcdef"
GUARD = Guard(hosts=["node-1.example.com"])


def refused(guard: Guard, *, is_open: bool = False, is_command: bool = False, **headers: str) -> int:
    """The status that a request is refused with, 0 when it passes."""
    try:
        guard.check(
            {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()},
            is_open=is_open,
            is_command=is_command,
        )
    except RefusedError as error:
        return error.status
    return 0


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:39990", "127.0.0.1:39990", "[::1]:39990", "10.1.2.3", "node-1.example.com:39990"],
)
def test_guard_knows_addresses_and_its_own_names(host: str) -> None:
    assert refused(GUARD, host=host) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "node-1.example.com.evil",
        "",
        "[::1",
        "a@localhost.b",
    ],
)
def test_guard_refuses_names_that_a_page_may_have_led_here(host: str) -> None:
    # DNS rebinding, as in CVE-2018-5702 (Transmission) and GHSA-w32m-9786-jp63 (Vite).
    assert refused(GUARD, host=host) == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:39990", 0),
        ("HTTPS://127.0.0.1:39990", 0),
        ("http://127.0.0.1:8080", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("file://127.0.0.1:39990", 403),
    ],
)
def test_guard_refuses_requests_of_other_origins(origin: str, status: int) -> None:
    # CSRF: any page that an operator opens can POST to loopback.
    assert refused(GUARD, host="127.0.0.1:39990", origin=origin) == status


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("same-origin", "cors", 0),
        ("none", "navigate", 0),
        ("cross-site", "navigate", 0),
        ("cross-site", "no-cors", 403),
        ("same-site", "no-cors", 403),
    ],
)
def test_guard_refuses_what_pages_of_other_sites_embed(site: str, mode: str, status: int) -> None:
    assert refused(GUARD, host="localhost", sec_fetch_site=site, sec_fetch_mode=mode) == status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 0),
        (f"bearer  {TOKEN} ", 0),
        ("", 401),
        ("Bearer", 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer é", 401),
    ],
)
def test_guard_wants_the_token(authorization: str, status: int) -> None:
    assert refused(Guard(token=TOKEN), host="localhost", authorization=authorization) == status


def test_guard_wants_no_token_for_what_is_open_but_still_looks_at_the_host() -> None:
    assert refused(Guard(token=TOKEN), is_open=True, host="localhost") == 0
    assert refused(Guard(token=TOKEN), is_open=True, host="evil.example") == 403


def test_guard_lets_requests_without_a_host_pass_for_no_browser_sends_them() -> None:
    assert refused(GUARD) == 0


def test_guard_takes_commands_only_with_a_token() -> None:
    # Every user of the machine can connect to loopback.
    assert refused(GUARD, is_command=True, host="localhost") == 403
    assert refused(Guard(token=TOKEN), is_command=True, host="localhost") == 401
    assert refused(Guard(token=TOKEN), is_command=True, host="localhost", authorization=f"Bearer {TOKEN}") == 0
