"""Programs over TLS: boto3 as it is, with certificates on one side and on both."""

import hashlib
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, SSLError

from tests.certificates import Certified, certify
from tests.integration.assertions import S3Client
from tests.integration.watched import ANN, wait_until
from tests.server import Server, Settings, started

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
LARGE = bytes(range(256)) * 80_000  # 20 MB, in parts both ways


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("certificates"), "localhost", "127.0.0.1")


def settings(certified: Certified, **further: object) -> Settings:
    return {"tls": {"certificate_file": str(certified.certificate), "key_file": str(certified.key), **further}}


@pytest.fixture(scope="module")
def server(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("tls")
    workers: Settings = {"server": {"workers": 2}}
    with started(base / "root", base, users=(ANN,), settings={**settings(certified), **workers}) as server:
        yield server
    assert server.logs[1].read_text() == f"s3proxy ready on https://127.0.0.1:{server.port}\n"


def client_of(port: int, certified: Certified | None, certificate: Path | None = None) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=f"https://localhost:{port}",
        aws_access_key_id=ANN.access_key,
        aws_secret_access_key=ANN.secret_key,
        region_name="us-east-1",
        verify=str(certified.authority) if certified else None,
        config=Config(
            client_cert=str(certificate) if certificate else None,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
        ),
    )


@pytest.fixture
def client(server: Server, certified: Certified) -> Iterator[S3Client]:
    with closing(client_of(server.port, certified)) as client:
        yield client


def test_object_in_parts_comes_back_as_it_was(client: S3Client, tmp_path: Path) -> None:
    client.create_bucket(Bucket="large")
    (tmp_path / "up").write_bytes(LARGE)
    client.upload_file(str(tmp_path / "up"), "large", "key")
    client.download_file("large", "key", str(tmp_path / "down"))
    assert hashlib.sha256((tmp_path / "down").read_bytes()).digest() == hashlib.sha256(LARGE).digest()


def test_small_objects_are_written_listed_and_read(client: S3Client) -> None:
    client.create_bucket(Bucket="small")
    for number in range(20):
        client.put_object(Bucket="small", Key=f"{number:02}", Body=b"x" * number)
    assert [each["Size"] for each in client.list_objects_v2(Bucket="small")["Contents"]] == list(range(20))
    assert client.get_object(Bucket="small", Key="07", Range="bytes=1-3")["Body"].read() == b"xxx"


def test_presigned_url_is_one_of_https(client: S3Client, certified: Certified) -> None:
    client.create_bucket(Bucket="presigned")
    client.put_object(Bucket="presigned", Key="k", Body=b"content")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})
    assert url.startswith("https://")
    with urllib.request.urlopen(url, context=certified.context()) as response:  # noqa: S310 (made here)
        assert response.read() == b"content"


def test_completed_upload_is_told_of_by_https(client: S3Client, server: Server) -> None:
    client.create_bucket(Bucket="location")
    upload = client.create_multipart_upload(Bucket="location", Key="k")["UploadId"]
    part = client.upload_part(Bucket="location", Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    done = client.complete_multipart_upload(
        Bucket="location",
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert done["Location"] == f"https://localhost:{server.port}/location/k"


def test_client_that_does_not_know_the_authority_refuses(server: Server) -> None:
    with closing(client_of(server.port, None)) as client, pytest.raises(SSLError):
        client.list_buckets()


def test_client_must_prove_who_it_is_where_that_is_required(certified: Certified, tmp_path: Path) -> None:
    demanding = settings(certified, client_certificate="required", client_ca_file=str(certified.authority))
    with started(tmp_path / "root", tmp_path, users=(ANN,), settings=demanding) as server:
        with closing(client_of(server.port, certified, certified.client)) as client:
            assert client.list_buckets()["Buckets"] == []
        with (
            closing(client_of(server.port, certified)) as client,
            pytest.raises((SSLError, ConnectionClosedError)),
        ):
            client.list_buckets()


def test_least_version_is_kept_to(certified: Certified, tmp_path: Path) -> None:
    context = certified.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    newest = settings(certified, minimum_version="1.3")
    with (
        started(tmp_path / "root", tmp_path, users=(ANN,), settings=newest) as server,
        pytest.raises(urllib.error.URLError, match="PROTOCOL_VERSION"),
    ):
        urllib.request.urlopen(f"https://localhost:{server.port}/", context=context)


def served(server: Server) -> str:
    """The certificate that a connection begins with."""
    return ssl.get_server_certificate(("127.0.0.1", server.port), timeout=10)


def test_certificate_is_read_again_on_sighup_unless_it_cannot_be_used(tmp_path: Path) -> None:
    before = certify(tmp_path, "localhost")
    (tmp_path / "next").mkdir()
    after = certify(tmp_path / "next", "localhost")
    with started(tmp_path / "root", tmp_path / "scratch", users=(ANN,), settings=settings(before)) as server:
        first = served(server)
        assert first in before.certificate.read_text()

        before.key.write_text("half of a key")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "tls.key_file" in server.logs[1].read_text(), seconds=10)
        assert f'reload refused: tls.key_file = "{before.key}": must be the key of' in server.logs[1].read_text()
        assert served(server) == first

        before.key.write_text(after.key.read_text())
        before.certificate.write_text(after.certificate.read_text())
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served(server) != first, seconds=10)
        assert served(server) in after.certificate.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_certificate_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path, workers: int) -> None:
    text = (
        f'[server]\nlisten = "127.0.0.1:0"\nworkers = {workers}\n[tls]\ncertificate_file = "absent"\nkey_file = "k"\n'
    )
    (tmp_path / "s3proxy.toml").write_text(text)
    command = [sys.executable, "-m", "s3proxy", "serve", "--config", "s3proxy.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'tls.certificate_file = "absent": must be a file that can be read' in done.stderr
