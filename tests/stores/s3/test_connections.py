import ssl

import pytest

from s3proxy.http1.client import ClientLimits
from s3proxy.stores.s3 import connections
from s3proxy.stores.s3.connections import Connections
from s3proxy.stores.s3.endpoint import Endpoint


async def test_each_host_has_one_client() -> None:
    made = Connections(Endpoint.parse("http://store"), limits=ClientLimits())
    assert await made.client_of("a") is await made.client_of("a")
    assert await made.client_of("a") is not await made.client_of("b")
    await made.aclose()


async def test_clients_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_MOST_NAMES", 2)
    made = Connections(Endpoint.parse("http://store"), limits=ClientLimits())
    first, second = await made.client_of("a"), await made.client_of("b")
    await made.client_of("c")
    assert await made.client_of("b") is second
    assert await made.client_of("a") is not first
    await made.aclose()


def test_tls_checks_certificates_and_names() -> None:
    made = Connections(Endpoint.parse("https://store"), limits=ClientLimits())
    assert made._tls is not None
    assert (made._tls.verify_mode, made._tls.check_hostname) == (ssl.CERT_REQUIRED, True)
