import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.assertions import S3Client, read
from tests.integration.watched import ANN, DOMAIN, WatchedServer

CONTENT = b"0123456789" * 10
# curl before 8.0 does not send the header by itself, and S3 refuses a signature without it.
SIGNING = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
SIGNED = (*SIGNING, "--user", f"{ANN.access_key}:{ANN.secret_key}")

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    head: str
    body: bytes
    talk: str
    """What ``--verbose`` told: the lines sent begin with ">", those received with "<"."""


Curl = Callable[..., Answer]


@pytest.fixture
def curl(tmp_path: Path) -> Curl:
    """Run ``curl`` on a URL."""

    def run(url: str, *arguments: str, body: bytes | None = None) -> Answer:
        done = subprocess.run(
            ["curl", "--silent", "--verbose", "--max-time", "20", "--dump-header", "head", "--output", "body",
             "--write-out", "%{http_code}", *arguments, url],
            cwd=tmp_path, input=body, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        talk = done.stderr.decode(errors="replace")
        assert done.returncode == 0, talk
        received = tmp_path / "body"
        content = received.read_bytes() if received.exists() else b""
        received.unlink(missing_ok=True)
        head = (tmp_path / "head").read_text()
        return Answer(status=int(done.stdout), head=head.lower(), body=content, talk=talk)

    return run


@pytest.fixture
def url(server: WatchedServer, bucket: str) -> str:
    """The URL of an object that does not exist yet."""
    return f"{server.url}/{bucket}/data"


def test_put_and_get_give_the_same_bytes(curl: Curl, url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert curl(url, *SIGNED, "--upload-file", "file").status == 200
    got = curl(url, *SIGNED)
    assert (got.status, got.body) == (200, CONTENT)
    assert f'etag: "{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"' in got.head


def test_head_has_the_length_and_no_body(curl: Curl, url: str, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    got = curl(url, *SIGNED, "--head")
    assert got.status == 200
    assert "content-length: 100" in got.head
    missing = curl(f"{url}-absent", *SIGNED, "--head")
    assert missing.status == 404


def test_range_gives_that_part(curl: Curl, url: str, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    got = curl(url, *SIGNED, "--range", "95-")
    assert (got.status, got.body) == (206, CONTENT[95:])
    assert "content-range: bytes 95-99/100" in got.head


def test_download_that_broke_off_continues(curl: Curl, url: str, s3: S3Client, bucket: str, tmp_path: Path) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    (tmp_path / "body").write_bytes(CONTENT[:30])
    got = curl(url, *SIGNED, "--continue-at", "-")
    assert (got.status, got.body) == (206, CONTENT)


def test_upload_that_expects_100_continue_is_told_to(
    curl: Curl, url: str, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    put = curl(url, *SIGNED, "--header", "Expect: 100-continue", "--upload-file", "file")
    assert "< HTTP/1.1 100" in put.talk
    assert put.status == 200
    assert read(s3, bucket, "data") == CONTENT


def test_upload_that_is_refused_is_never_told_to_continue(curl: Curl, url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    put = curl(
        url, *SIGNING, "--user", f"{ANN.access_key}:wrong", "--header", "Expect: 100-continue", "--upload-file", "file"
    )
    assert "< HTTP/1.1 100" not in put.talk
    assert (put.status, b"<Code>SignatureDoesNotMatch</Code>" in put.body) == (403, True)


def test_upload_from_a_pipe_comes_in_chunks(curl: Curl, url: str, s3: S3Client, bucket: str) -> None:
    put = curl(url, *SIGNED, "--upload-file", "-", body=CONTENT * 5000)
    assert "> Transfer-Encoding: chunked" in put.talk
    assert put.status == 200
    assert read(s3, bucket, "data") == CONTENT * 5000


def test_upload_in_aws_chunks_with_a_trailer_stores_the_content_alone(
    curl: Curl, url: str, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n")
    headers = (
        "x-amz-trailer: x-amz-checksum-crc32",
        "x-amz-decoded-content-length: 3",
        "content-encoding: aws-chunked",
    )
    options = [option for header in headers for option in ("--header", header)]
    signed = [option.replace("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER") for option in SIGNED]
    assert curl(url, *signed, *options, "--upload-file", "file").status == 200
    head = s3.head_object(Bucket=bucket, Key="data", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ChecksumCRC32"], head.get("ContentEncoding")) == (3, "NSRBwg==", None)


def test_one_connection_serves_many_requests(curl: Curl, url: str, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    got = curl(url, *SIGNED, "--output", "second", url, "--output", "third", url)
    assert got.talk.count("Connected to") == 1
    assert got.talk.count("< HTTP/1.1 200") == 3


def test_name_of_the_bucket_may_stand_in_the_host(curl: Curl, server: WatchedServer, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data", Body=CONTENT)
    port = server.address.split(":")[1]
    here = ("--connect-to", f"::{server.address}")
    assert curl(f"http://{bucket}.{DOMAIN}:{port}/data", *SIGNED, *here).body == CONTENT
    assert b"<Key>data</Key>" in curl(f"http://{bucket}.{DOMAIN}:{port}/?list-type=2", *SIGNED, *here).body
    assert b"<ListAllMyBucketsResult" in curl(f"http://{DOMAIN}:{port}/", *SIGNED, *here).body


def test_get_without_keys_is_access_denied(curl: Curl, url: str) -> None:
    refused = curl(url)
    assert (refused.status, b"<Code>AccessDenied</Code>" in refused.body) == (403, True)


def test_error_is_xml_that_names_its_request(curl: Curl, url: str) -> None:
    missing = curl(url, *SIGNED)
    assert missing.status == 404
    assert "content-type: application/xml" in missing.head
    assert f"content-length: {len(missing.body)}" in missing.head
    assert b"<Code>NoSuchKey</Code>" in missing.body
    request_id = next(line.split(": ")[1] for line in missing.head.splitlines() if line.startswith("x-amz-request-id"))
    assert f"<RequestId>{request_id}</RequestId>".lower() in missing.body.decode().lower()


def test_query_that_names_no_known_sub_resource_is_not_implemented(
    curl: Curl, server: WatchedServer, bucket: str
) -> None:
    refused = curl(f"{server.url}/{bucket}?torrent=", *SIGNED)
    assert (refused.status, b"<Code>NotImplemented</Code>" in refused.body) == (501, True)


def test_method_that_s3_does_not_have_is_not_allowed(curl: Curl, url: str) -> None:
    refused = curl(url, *SIGNED, "--request", "PATCH")
    assert (refused.status, b"<Code>MethodNotAllowed</Code>" in refused.body) == (405, True)


def test_post_without_a_body_is_refused_not_left_hanging(curl: Curl, server: WatchedServer, bucket: str) -> None:
    refused = curl(f"{server.url}/{bucket}?delete=", *SIGNED, "--request", "POST")
    assert refused.status in {400, 411}
