"""Behind a balancer: signatures hold while it passes Host on as the client signed it, and the client is known."""

import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3.util.connection
from botocore.config import Config

from tests.balancers import haproxy, is_installed, nginx, relay
from tests.certificates import Certified, certify
from tests.integration.assertions import S3Client
from tests.integration.watched import ANN, wait_until
from tests.server import Server, Settings, started

NAME = "lb.example.com"
CLIENT = "127.0.0.3"
"""Where clients are, so that they can be told from balancers."""
CONTENT = b"what went through the balancer" * 10_000

Balancer = Callable[..., AbstractContextManager[int]]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("certificates"), NAME, f"*.{NAME}", "127.0.0.1")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("node")
    settings: Settings = {"server": {"trusted_proxies": ["127.0.0.1"], "domains": [NAME]}}
    with started(base / "root", base, users=(ANN,), settings=settings) as server:
        yield server


def needs(name: str, balancer: Balancer) -> Any:  # noqa: ANN401 (pytest does not name its type)
    mark = pytest.mark.skipif(not is_installed(name), reason=f"{name} is not installed")
    return pytest.param(balancer, marks=mark, id=name)


ALL = [pytest.param(lambda _, node: relay(node), id="relay"), needs("haproxy", haproxy), needs("nginx", nginx)]
ENCRYPTING = ALL[1:]


@pytest.fixture
def lead_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Whatever botocore connects to from then on is that port of this machine, as if it had the balancer's name."""
    connect = urllib3.util.connection.create_connection

    def lead(port: int) -> None:
        def connect_there(_: object, *arguments: Any, **options: Any) -> object:  # noqa: ANN401 (passed on)
            return connect(("127.0.0.1", port), *arguments, **options | {"source_address": (CLIENT, 0)})

        monkeypatch.setattr(urllib3.util.connection, "create_connection", connect_there)

    return lead


def client_of(endpoint: str, certified: Certified | None = None, style: str = "path", **options: object) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ANN.access_key,
        aws_secret_access_key=ANN.secret_key,
        region_name="us-east-1",
        verify=str(certified.authority) if certified else None,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": style}, **options),
    )


def assert_usable(client: S3Client) -> None:
    """An object makes its way there and back, with a name that a careless balancer would change."""
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="a b/../%2F//ü+", Body=CONTENT)
    assert client.get_object(Bucket="bucket", Key="a b/../%2F//ü+")["Body"].read() == CONTENT
    client.delete_object(Bucket="bucket", Key="a b/../%2F//ü+")
    assert client.list_objects_v2(Bucket="bucket", Prefix="a b/")["KeyCount"] == 0
    client.delete_bucket(Bucket="bucket")


# SDKs leave the port out of Host, and so out of what they sign, exactly where it is the scheme's own.
@pytest.mark.parametrize("balancer", ALL)
@pytest.mark.parametrize("authority", [NAME, f"{NAME}:80", f"{NAME}:443", f"{NAME}:8080"])
def test_signature_over_the_balancers_name_and_port_holds(
    node: Server, balancer: Balancer, authority: str, lead_to: Callable[[int], None], tmp_path: Path
) -> None:
    with balancer(tmp_path, node.port) as port, closing(client_of(f"http://{authority}")) as client:
        lead_to(port)
        assert_usable(client)


@pytest.mark.parametrize("balancer", ENCRYPTING)
@pytest.mark.parametrize("authority", [NAME, f"{NAME}:443", f"{NAME}:80", f"{NAME}:8443"])
def test_signature_holds_where_the_balancer_ends_tls(
    node: Server,
    certified: Certified,
    balancer: Balancer,
    authority: str,
    lead_to: Callable[[int], None],
    tmp_path: Path,
) -> None:
    with (
        balancer(tmp_path, node.port, certificate=certified.bundle) as port,
        closing(client_of(f"https://{authority}", certified)) as client,
    ):
        lead_to(port)
        assert_usable(client)


@pytest.mark.parametrize("balancer", ALL)
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_signature_of_either_version_holds_for_a_bucket_in_the_balancers_name(
    node: Server, balancer: Balancer, version: str, lead_to: Callable[[int], None], tmp_path: Path
) -> None:
    endpoint = f"http://{NAME}:8080"
    with (
        balancer(tmp_path, node.port) as port,
        closing(client_of(endpoint, style="virtual", signature_version=version)) as client,
    ):
        lead_to(port)
        assert_usable(client)


@pytest.mark.parametrize("balancer", ALL)
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_url_of_the_balancer_holds(node: Server, balancer: Balancer, version: str, tmp_path: Path) -> None:
    with (
        balancer(tmp_path, node.port) as port,
        closing(client_of(f"http://127.0.0.1:{port}", signature_version=version)) as client,
    ):
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="k", Body=CONTENT)
        url = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
        with urllib.request.urlopen(url) as response:  # noqa: S310 (made here)
            assert response.read() == CONTENT
        client.delete_object(Bucket="bucket", Key="k")
        client.delete_bucket(Bucket="bucket")


# Who the client is


def logged_clients(server: Server, mark: str) -> list[str]:
    """Who asked for the bucket ``mark``, by the access log."""

    def lines() -> list[str]:
        return [line for line in server.logs[0].read_text().splitlines() if f" /{mark}" in line]

    wait_until(lines, seconds=5)
    return [re.split(r"\s+", line)[1] for line in lines()]


@pytest.mark.parametrize("balancer", ENCRYPTING)
def test_client_is_known_by_what_the_balancer_adds_to_what_it_says_itself(
    node: Server, balancer: Balancer, tmp_path: Path
) -> None:
    with (
        balancer(tmp_path, node.port) as port,
        closing(HTTPConnection("127.0.0.1", port, source_address=(CLIENT, 0))) as connection,
    ):
        connection.request("GET", f"/forwarded-{port}", headers={"X-Forwarded-For": "198.51.100.1, 127.0.0.1"})
        assert connection.getresponse().status in {403, 404}
        assert logged_clients(node, f"forwarded-{port}") == [CLIENT]


def haproxy_that_introduces(version: str, directory: Path, node: int) -> AbstractContextManager[int]:
    return haproxy(directory, node, mode="tcp", sending=version)


INTRODUCING = [
    pytest.param(lambda _, node: relay(node, b"PROXY TCP4 127.0.0.3 127.0.0.1 1 2\r\n"), id="relay"),
    *(needs("haproxy", partial(haproxy_that_introduces, version)) for version in ("send-proxy", "send-proxy-v2")),
]


@pytest.mark.parametrize("balancer", INTRODUCING)
@pytest.mark.parametrize("is_tls", [False, True])
def test_client_is_known_from_a_proxy_header_before_all_else(
    certified: Certified, balancer: Balancer, is_tls: bool, lead_to: Callable[[int], None], tmp_path: Path
) -> None:
    settings: Settings = {
        "server": {"trusted_proxies": ["127.0.0.1"], "proxy_protocol": True},
        "tls": {"certificate_file": str(certified.certificate), "key_file": str(certified.key)} if is_tls else {},
    }
    (tmp_path / "balancer").mkdir()
    endpoint = f"{'https' if is_tls else 'http'}://{NAME}:8443"
    with (
        started(tmp_path / "root", tmp_path, users=(ANN,), settings=settings) as server,
        balancer(tmp_path / "balancer", server.port) as port,
        closing(client_of(endpoint, certified)) as client,
    ):
        lead_to(port)
        assert_usable(client)
        assert set(logged_clients(server, "bucket")) == {CLIENT}
    assert "Traceback" not in server.logs[1].read_text()
