"""Open authentication: whoever can connect may call, under the name that the request gives."""

import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.assertions import S3Client, keys_of, raises_s3_error, read
from tests.integration.conftest import make_client
from tests.integration.watched import WatchedServer
from tests.signing import Keys

ANYONE = Keys("anyone", "never checked")
CONTENT = b"open to all" * 1000


@pytest.fixture
def open_s3(open_server: WatchedServer) -> Iterator[S3Client]:
    said = open_server.said()
    with closing(make_client(open_server.url, ANYONE)) as client:
        yield client
    assert open_server.said() == said


@pytest.fixture
def open_bucket(open_s3: S3Client) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    open_s3.create_bucket(Bucket=name)
    return name


def send(method: str, url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 (our own server)
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (our own server)
        content: bytes = response.read()
    return content


def test_any_keys_are_taken(open_s3: S3Client, open_bucket: str) -> None:
    open_s3.put_object(Bucket=open_bucket, Key="data", Body=CONTENT)
    assert read(open_s3, open_bucket, "data") == CONTENT
    assert open_bucket in [each["Name"] for each in open_s3.list_buckets()["Buckets"]]


def test_names_without_proof_still_own_their_buckets(open_server: WatchedServer, open_bucket: str) -> None:
    other = Keys("other", "never checked")
    with closing(make_client(open_server.url, other)) as client, raises_s3_error("AccessDenied", 403):
        client.list_objects_v2(Bucket=open_bucket)


def test_plain_http_without_any_keys_works(open_server: WatchedServer) -> None:
    bucket = f"{open_server.url}/bucket-{uuid.uuid4().hex[:12]}"
    send("PUT", bucket)
    send("PUT", f"{bucket}/a/b", CONTENT)
    assert send("GET", f"{bucket}/a/b") == CONTENT
    assert b"<Key>a/b</Key>" in send("GET", f"{bucket}?list-type=2")
    send("DELETE", f"{bucket}/a/b")
    send("DELETE", bucket)


def test_body_is_checked_although_the_caller_is_not(
    open_server: WatchedServer, open_s3: S3Client, open_bucket: str
) -> None:
    impatient = make_client(open_server.url, ANYONE, retries={"total_max_attempts": 1})
    with closing(impatient), raises_s3_error("BadDigest", 400):
        impatient.put_object(Bucket=open_bucket, Key="data", Body=CONTENT, ChecksumCRC32="AAAAAA==")
    assert keys_of(open_s3.list_objects_v2(Bucket=open_bucket)) == []


def test_paths_of_alluxio_lead_to_the_same_objects(
    open_server: WatchedServer, open_s3: S3Client, open_bucket: str
) -> None:
    open_s3.put_object(Bucket=open_bucket, Key="a/b", Body=CONTENT)
    with closing(make_client(f"{open_server.url}/api/v1/s3", ANYONE)) as alluxio:
        assert read(alluxio, open_bucket, "a/b") == CONTENT
        alluxio.put_object(Bucket=open_bucket, Key="c", Body=b"c")
    assert keys_of(open_s3.list_objects_v2(Bucket=open_bucket)) == ["a/b", "c"]
