import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tests.integration.assertions import S3Client
from tests.integration.watched import ANN, BOB, WatchedServer
from tests.nodes import Under
from tests.signing import Keys


@pytest.fixture(scope="session", autouse=True)
def clean_client_settings() -> Iterator[None]:
    """Clients in this process see no settings of this machine, and so run with their defaults."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def open_server(under: Under, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedServer]:
    server = WatchedServer(tmp_path_factory.mktemp("open"), under)
    yield server
    server.check_and_stop()


@pytest.fixture(scope="session")
def signature_server(under: Under, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedServer]:
    server = WatchedServer(tmp_path_factory.mktemp("signature"), under, users=(ANN, BOB))
    yield server
    server.check_and_stop()


@pytest.fixture
def server(signature_server: WatchedServer) -> Iterator[WatchedServer]:
    """The server that checks signatures; whatever the test did, it must not have made it stumble."""
    said = signature_server.said()
    yield signature_server
    assert signature_server.said() == said


def make_client(url: str, keys: Keys, **settings: object) -> S3Client:
    """A boto3 client with its default settings, but for the endpoint, path style and the keys."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=Config(s3={"addressing_style": "path"}, **settings),
    )


@pytest.fixture(scope="session")
def ann_client(signature_server: WatchedServer) -> Iterator[S3Client]:
    with closing(make_client(signature_server.url, ANN)) as client:
        yield client


@pytest.fixture(scope="session")
def bob_client(signature_server: WatchedServer) -> Iterator[S3Client]:
    with closing(make_client(signature_server.url, BOB)) as client:
        yield client


@pytest.fixture
def s3(server: WatchedServer, ann_client: S3Client) -> S3Client:
    """A boto3 client of ann's."""
    return ann_client


@pytest.fixture
def bobs_s3(server: WatchedServer, bob_client: S3Client) -> S3Client:
    """A boto3 client of bob's."""
    return bob_client


@pytest.fixture
def impatient_s3(server: WatchedServer) -> Iterator[S3Client]:
    """A client of ann's that is content with one refusal: botocore sends a wrong digest five times, over seconds."""
    with closing(make_client(server.url, ANN, retries={"total_max_attempts": 1})) as client:
        yield client


@pytest.fixture
def new_bucket(s3: S3Client) -> Callable[[], str]:
    """Make a bucket of ann's with a name that no other test has."""

    def make() -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        s3.create_bucket(Bucket=name)
        return name

    return make


@pytest.fixture
def bucket(new_bucket: Callable[[], str]) -> str:
    """A bucket of ann's with nothing in it."""
    return new_bucket()


@pytest.fixture
def root(server: WatchedServer) -> Path:
    """Where a file-system program finds the buckets; tests that want it run only where there is such a place."""
    return server.root


@pytest.fixture
def directory(root: Path, bucket: str) -> Path:
    """Where a file-system program finds ``bucket``."""
    return root / bucket
