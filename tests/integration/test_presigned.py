import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.crt.auth
import pytest
from lxml import etree

from tests.integration.assertions import S3Client, read
from tests.integration.conftest import make_client
from tests.integration.watched import ANN, BOB, WatchedServer

CONTENT = b"what was signed for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def code(self) -> str:
        """The code of the error document."""
        parsed = etree.fromstring(self.body)
        return parsed.findtext("Code") or ""


def send(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """Send exactly this; a library for users would add a Content-Type, which version 2 signs."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.netloc, timeout=10)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        response = connection.getresponse()
        return Answer(status=response.status, headers=response.headers, body=response.read())


@pytest.fixture(params=["s3v4", "s3"])
def signer(request: pytest.FixtureRequest, server: WatchedServer) -> Iterator[S3Client]:
    """A client of ann's that presigns with version 4 or version 2."""
    with closing(make_client(server.url, ANN, signature_version=request.param)) as client:
        yield client


@pytest.fixture
def signer_v4(server: WatchedServer) -> Iterator[S3Client]:
    with closing(make_client(server.url, ANN, signature_version="s3v4")) as client:
        yield client


def test_presigned_urls_serve_a_whole_life_of_an_object(signer: S3Client, bucket: str) -> None:
    def sign(operation: str) -> str:
        url: str = signer.generate_presigned_url(operation, {"Bucket": bucket, "Key": "a b/ü+%"})
        return url

    assert send("PUT", sign("put_object"), CONTENT).status == 200
    got = send("GET", sign("get_object"))
    assert (got.status, got.body) == (200, CONTENT)
    assert got.headers["ETag"] == f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
    assert send("HEAD", sign("head_object")).headers["Content-Length"] == str(len(CONTENT))
    assert send("DELETE", sign("delete_object")).status == 204
    assert send("GET", sign("get_object")).code == "NoSuchKey"


def test_presigned_get_takes_ranges_and_overrides(signer: S3Client, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    url = signer.generate_presigned_url(
        "get_object",
        {"Bucket": bucket, "Key": "data", "ResponseContentType": "text/html", "ResponseContentDisposition": "inline"},
    )
    got = send("GET", url, headers={"Range": "bytes=5-7"})
    assert (got.status, got.body) == (206, CONTENT[5:8])
    assert (got.headers["Content-Type"], got.headers["Content-Disposition"]) == ("text/html", "inline")


def test_presigned_list_is_the_callers(signer: S3Client, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="p/data", Body=CONTENT)
    listed = send("GET", signer.generate_presigned_url("list_objects_v2", {"Bucket": bucket, "Prefix": "p/"}))
    assert b"<Key>p/data</Key>" in listed.body


def test_presigned_upload_part_is_part_of_the_upload(signer_v4: S3Client, s3: S3Client, bucket: str) -> None:
    name = {"Bucket": bucket, "Key": "data"}
    upload = s3.create_multipart_upload(**name)["UploadId"]
    url = signer_v4.generate_presigned_url("upload_part", {**name, "UploadId": upload, "PartNumber": 1})
    part = {"PartNumber": 1, "ETag": send("PUT", url, CONTENT).headers["ETag"]}
    s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": [part]})
    assert read(s3, bucket, "data") == CONTENT


@pytest.mark.parametrize(
    ("old", "new"),
    [("Signature=", "Signature=0"), ("/data?", "/other?"), ("AKANN", "AKBOB"), ("Expires=", "Expires=1")],
)
def test_presigned_url_that_was_changed_is_refused(
    signer: S3Client, s3: S3Client, bucket: str, old: str, new: str
) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    s3.put_object(Bucket=bucket, Key="other", Body=CONTENT)
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"}, ExpiresIn=60)
    refused = send("GET", url.replace(old, new))
    assert (refused.status, refused.code) == (403, "SignatureDoesNotMatch")


def test_presigned_url_for_one_method_is_refused_for_another(signer: S3Client, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"})
    assert send("DELETE", url).code == "SignatureDoesNotMatch"
    assert read(s3, bucket, "data") == CONTENT


def test_presigned_url_of_version_2_expires(server: WatchedServer, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with closing(make_client(server.url, ANN, signature_version="s3")) as signer:
        url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"}, ExpiresIn=-10)
    refused = send("GET", url)
    assert (refused.status, refused.code) == (403, "AccessDenied")


def test_presigned_url_of_version_4_expires(
    signer_v4: S3Client, s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_minutes_ago(**_: object) -> datetime:
        return datetime.now(UTC) - timedelta(minutes=2)

    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    monkeypatch.setattr(botocore.crt.auth, "get_current_datetime", two_minutes_ago)
    refused = send(
        "GET", signer_v4.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"}, ExpiresIn=60)
    )
    assert (refused.status, refused.code) == (403, "AccessDenied")
    good = signer_v4.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"}, ExpiresIn=180)
    assert send("GET", good).body == CONTENT


def test_presigned_url_for_more_than_seven_days_is_refused(signer_v4: S3Client, bucket: str) -> None:
    url = signer_v4.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"}, ExpiresIn=7 * 86_400 + 1)
    refused = send("GET", url)
    assert (refused.status, refused.code) == (403, "AccessDenied")


def test_presigned_put_with_an_unsigned_amz_header_is_refused(signer_v4: S3Client, s3: S3Client, bucket: str) -> None:
    # RustFS GHSA-g8w9-qw9q-fghr: x-amz-copy-source beside a presigned PUT turned it into a copy of anything.
    s3.put_object(Bucket=bucket, Key="secret", Body=CONTENT)
    url = signer_v4.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "data"})
    refused = send("PUT", url, b"", {"x-amz-copy-source": f"/{bucket}/secret"})
    assert (refused.status, refused.code) == (403, "AccessDenied")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="data")


def test_presigned_url_and_authorization_header_together_are_refused(signer_v4: S3Client, bucket: str) -> None:
    # MinIO CVE-2026-41145: credentials in the query let a header through unchecked.
    url = signer_v4.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"})
    refused = send("GET", url, headers={"Authorization": f"AWS {ANN.access_key}:c2lnbmF0dXJl"})
    assert (refused.status, refused.code) == (400, "InvalidArgument")


def test_presigned_url_of_another_user_gives_no_access(server: WatchedServer, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    with closing(make_client(server.url, BOB, signature_version="s3v4")) as signer:
        refused = send("GET", signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "data"}))
    assert (refused.status, refused.code) == (403, "AccessDenied")


def test_signature_is_not_in_the_access_log(signer: S3Client, server: WatchedServer, bucket: str) -> None:
    # RustFS GHSA-r54g-49rx-98cr: a presigned URL in a log is as good as a key while it lasts.
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "absent"})
    query = parse_qs(urlsplit(url).query)
    signature = query.get("X-Amz-Signature", query.get("Signature", [""]))[0]
    send("GET", url)
    assert len(signature) >= 28
    assert signature not in server.logged()


def test_version_2_in_the_header_is_accepted(server: WatchedServer, bucket: str) -> None:
    with closing(make_client(server.url, ANN, signature_version="s3")) as client:
        client.put_object(Bucket=bucket, Key="a b", Body=CONTENT, Metadata={"a": "b"}, ContentType="text/plain")
        assert read(client, bucket, "a b") == CONTENT
        assert client.list_objects_v2(Bucket=bucket, Prefix="a")["KeyCount"] == 1
        assert client.get_object_tagging(Bucket=bucket, Key="a b")["TagSet"] == []


def test_presigned_headers_count_wherever_the_signer_put_them(signer: S3Client, bucket: str) -> None:
    # botocore moves them into the query with version 2, and wants them sent with version 4.
    metadata = {"kind": "a b"}
    url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k", "Metadata": metadata})
    headers = {} if "x-amz-meta-kind=" in url else {"x-amz-meta-kind": "a b"}
    assert send("PUT", url, CONTENT, headers).status == 200
    assert signer.head_object(Bucket=bucket, Key="k")["Metadata"] == metadata
