"""Whose word about a client's address is believed. RustFS CVE-2026-21862: anybody's X-Forwarded-For was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.http1.proxies import Proxies, parse_address

PROXIES = Proxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("address", "is_trusted"),
    [
        ("10.1.2.3", True),
        ("192.0.2.7", True),
        ("2001:db8::1", True),
        ("::ffff:10.1.2.3", True),
        ("192.0.2.8", False),
        ("2001:db9::1", False),
        ("unix", False),
        ("", False),
        ("10.1.2.3 ", False),
        ("fe80::1%10.1.2.3", False),
    ],
)
def test_proxies_are_known_by_their_addresses(address: str, is_trusted: bool) -> None:
    assert (address in PROXIES) == is_trusted


@pytest.mark.parametrize("network", ["here", "10.0.0.1/8", "10.0.0.0/33", ""])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Proxies([network])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("198.51.100.1", [b"203.0.113.9"], "198.51.100.1"),  # not from a proxy
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # what the client wrote itself stands to the left
        ("10.0.0.1", [b"1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [b"1.1.1.1", b"203.0.113.9", b"10.0.0.2"], "203.0.113.9"),  # several headers are one list
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [b"203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", [b"[2001:DB9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", [b"[2001:db9::1]"], "2001:db9::1"),
        ("10.0.0.1", [b"::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b"203.0.113.9,"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.009"], "10.0.0.1"),
        ("10.0.0.1", [b"\xff\n"], "10.0.0.1"),
    ],
)
def test_client_is_the_rightmost_address_that_is_no_proxy(peer: str, forwarded_for: list[bytes], client: str) -> None:
    assert PROXIES.client_of(peer, forwarded_for) == client


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_client_is_always_an_address_in_its_usual_form(forwarded_for: list[bytes]) -> None:
    client = PROXIES.client_of("10.0.0.1", forwarded_for)
    assert parse_address(client) == client


@given(st.ip_addresses().map(str).filter(lambda address: address not in PROXIES), st.binary(max_size=60))
def test_nobody_else_is_believed(peer: str, forwarded_for: bytes) -> None:
    assert PROXIES.client_of(peer, [forwarded_for]) == peer


@pytest.mark.parametrize(
    ("peer", "forwarded_proto", "scheme"),
    [
        ("10.1.2.3", b"https", "https"),
        ("10.1.2.3", b"HTTPS", "https"),
        ("10.1.2.3", b"http", "http"),
        ("10.1.2.3", None, "http"),
        ("10.1.2.3", b"javascript", "http"),
        ("10.1.2.3", b"https, http", "http"),  # of two balancers, of which one may not be ours
        ("198.51.100.1", b"https", "http"),
    ],
)
def test_scheme_is_what_a_trusted_proxy_says(peer: str, forwarded_proto: bytes | None, scheme: str) -> None:
    assert PROXIES.scheme_of(peer, "http", forwarded_proto) == scheme
