import pytest

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode
from tests.s3.requests.asking import ask, refuse

BUCKET = model.Bucket("bucket")


def test_list_buckets_reads_its_parameters() -> None:
    expected = model.ListBuckets(prefix="a", max_buckets=5, continuation_token="t")
    assert ask("GET", "/?prefix=a&max-buckets=5&continuation-token=t") == expected


def test_list_objects_reads_its_parameters() -> None:
    target = "/bucket?prefix=a%2F&delimiter=%0A&marker=m+n&max-keys=0&encoding-type=url"
    assert ask("GET", target) == model.ListObjects(
        bucket=BUCKET, prefix="a/", delimiter="\n", marker="m n", max_keys=0, encoding_type="url"
    )


def test_list_objects_v2_reads_its_parameters() -> None:
    target = "/bucket?list-type=2&prefix=a&delimiter=/&start-after=s&continuation-token=&max-keys=5000&fetch-owner=true"
    assert ask("GET", target) == model.ListObjectsV2(
        bucket=BUCKET,
        prefix="a",
        delimiter="/",
        start_after="s",
        continuation_token="",
        max_keys=5000,
        fetch_owner=True,
    )


def test_list_object_versions_reads_its_parameters() -> None:
    target = "/bucket?versions&prefix=a&delimiter=/&key-marker=k&version-id-marker=null&max-keys=9&encoding-type=url"
    assert ask("GET", target) == model.ListObjectVersions(
        bucket=BUCKET,
        prefix="a",
        delimiter="/",
        key_marker="k",
        version_id_marker="null",
        max_keys=9,
        encoding_type="url",
    )


def test_list_multipart_uploads_reads_its_parameters() -> None:
    target = "/bucket?uploads&prefix=a&delimiter=/&key-marker=k&upload-id-marker=u&max-uploads=9999"
    assert ask("GET", target) == model.ListMultipartUploads(
        bucket=BUCKET, prefix="a", delimiter="/", key_marker="k", upload_id_marker="u", max_uploads=1000
    )


@pytest.mark.parametrize(
    ("target", "argument"),
    [
        ("/bucket?max-keys=blah", "max-keys"),
        ("/bucket?max-keys=-1", "max-keys"),
        ("/bucket?max-keys=", "max-keys"),
        ("/bucket?list-type=2&max-keys=2147483648", "max-keys"),
        ("/bucket?list-type=3", "list-type"),
        ("/bucket?encoding-type=base64", "encoding-type"),
        ("/bucket?list-type=2&encoding-type=", "encoding-type"),
        ("/bucket?versions&version-id-marker=null", "version-id-marker"),
        ("/bucket?uploads&max-uploads=x", "max-uploads"),
        ("/?max-buckets=0", "max-buckets"),
        ("/?max-buckets=10001", "max-buckets"),
    ],
)
def test_bad_parameter_is_invalid_argument_by_name(target: str, argument: str) -> None:
    failure = refuse("GET", target)
    assert failure.code is ErrorCode.INVALID_ARGUMENT
    assert failure.detail["ArgumentName"] == argument
