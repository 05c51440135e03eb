import pytest

from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType
from tests.s3.requests.asking import ask, refuse

BUCKET, KEY, UPLOAD = model.Bucket("bucket"), model.Key("key"), model.UploadId("u-1")
PART = "/bucket/key?partNumber=3&uploadId=u-1"
COMPLETE = "/bucket/key?uploadId=u-1"


def _complete(parts: str, headers: dict[str, str] | None = None) -> model.CompleteMultipartUpload:
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    operation = ask("POST", COMPLETE, headers, body)
    assert isinstance(operation, model.CompleteMultipartUpload)
    return operation


def _part(number: object, extra: str = "") -> str:
    return f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;e{number}&quot;</ETag>{extra}</Part>"


def test_create_multipart_upload_takes_what_put_object_takes() -> None:
    headers = {
        "content-type": "text/plain",
        "x-amz-tagging": "a=b",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-checksum-algorithm": "crc32",
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    assert ask("POST", "/bucket/key?uploads", headers) == model.CreateMultipartUpload(
        bucket=BUCKET,
        key=KEY,
        metadata=model.ObjectMetadata(content_type="text/plain"),
        tags={"a": "b"},
        checksum_algorithm=ChecksumAlgorithm.CRC32,
        checksum_type=ChecksumType.FULL_OBJECT,
        storage_class="STANDARD_IA",
    )


@pytest.mark.parametrize(
    ("algorithm", "asked", "expected"),
    [
        ("CRC32", None, ChecksumType.COMPOSITE),
        ("CRC32C", None, ChecksumType.COMPOSITE),
        ("CRC64NVME", None, ChecksumType.FULL_OBJECT),
        ("SHA1", None, ChecksumType.COMPOSITE),
        ("SHA256", "COMPOSITE", ChecksumType.COMPOSITE),
        ("CRC32C", "FULL_OBJECT", ChecksumType.FULL_OBJECT),
        ("CRC64NVME", "COMPOSITE", None),
        ("SHA1", "FULL_OBJECT", None),
        ("SHA256", "FULL_OBJECT", None),
        ("SHA256", "PARTIAL", None),
        ("MD4", None, None),
        (None, "FULL_OBJECT", None),
    ],
)
def test_checksum_type_follows_its_algorithm(
    algorithm: str | None, asked: str | None, expected: ChecksumType | None
) -> None:
    given = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": asked}
    headers = {name: value for name, value in given.items() if value is not None}
    if expected is None:
        assert refuse("POST", "/bucket/key?uploads", headers).code is ErrorCode.INVALID_REQUEST
        return
    operation = ask("POST", "/bucket/key?uploads", headers)
    assert isinstance(operation, model.CreateMultipartUpload)
    assert operation.checksum_type is expected


def test_upload_part_names_upload_and_part() -> None:
    assert ask("PUT", PART) == model.UploadPart(bucket=BUCKET, key=KEY, upload_id=UPLOAD, part_number=3)


@pytest.mark.parametrize("number", ["0", "10001", "x", ""])
@pytest.mark.parametrize("headers", [{}, {"x-amz-copy-source": "source/key"}])
def test_part_number_out_of_range_is_invalid_argument(number: str, headers: dict[str, str]) -> None:
    failure = refuse("PUT", f"/bucket/key?uploadId=u&partNumber={number}", headers)
    assert failure.code is ErrorCode.INVALID_ARGUMENT
    assert failure.message == "Part number must be an integer between 1 and 10000, inclusive"


def test_part_without_a_number_is_refused() -> None:
    assert refuse("PUT", "/bucket/key?uploadId=u").code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize("upload_id", ["", "%00", "a%0Ab", "%C3%BC", "x" * 1025])
@pytest.mark.parametrize(("method", "extra"), [("PUT", "&partNumber=1"), ("DELETE", ""), ("GET", ""), ("POST", "")])
def test_upload_id_that_cannot_be_one_is_no_such_upload(method: str, extra: str, upload_id: str) -> None:
    # gaul/s3proxy #769: upload ids are untrusted names too
    target = f"/bucket/key?uploadId={upload_id}{extra}"
    body = f"<CompleteMultipartUpload>{_part(1)}</CompleteMultipartUpload>".encode()
    assert refuse(method, target, body=body).code is ErrorCode.NO_SUCH_UPLOAD


def test_upload_part_copy_reads_source_and_range() -> None:
    headers = {"x-amz-copy-source": "source/a%20b", "x-amz-copy-source-range": "bytes=5-9"}
    assert ask("PUT", PART, headers) == model.UploadPartCopy(
        bucket=BUCKET,
        key=KEY,
        upload_id=UPLOAD,
        part_number=3,
        source=model.CopySource(bucket=model.Bucket("source"), key=model.Key("a b")),
        range=model.ByteRange(5, 10),
    )


@pytest.mark.parametrize("value", ["0-2", "bytes=0", "bytes=hello-world", "bytes=0-2,3-5"])
def test_upload_part_copy_with_an_improper_range_is_invalid_argument(value: str) -> None:
    headers = {"x-amz-copy-source": "source/key", "x-amz-copy-source-range": value}
    assert refuse("PUT", PART, headers).code is ErrorCode.INVALID_ARGUMENT


def test_complete_reads_parts_checksums_size_and_conditions() -> None:
    operation = _complete(
        _part(1, "<ChecksumSHA256>c1=</ChecksumSHA256>") + _part(3),
        {"x-amz-mp-object-size": "10", "x-amz-checksum-sha256": "c=-2", "if-none-match": "*"},
    )
    assert operation == model.CompleteMultipartUpload(
        bucket=BUCKET,
        key=KEY,
        upload_id=UPLOAD,
        parts=(
            model.CompletedPart(number=1, etag=model.ETag("e1"), checksum=Checksum(ChecksumAlgorithm.SHA256, "c1=")),
            model.CompletedPart(number=3, etag=model.ETag("e3")),
        ),
        checksum=Checksum(ChecksumAlgorithm.SHA256, "c=-2", ChecksumType.COMPOSITE),
        object_size=10,
        conditions=model.WriteConditions(if_none_match="*"),
    )


def test_checksum_of_the_whole_object_has_the_type_that_is_given() -> None:
    headers = {"x-amz-checksum-crc32": "c===", "x-amz-checksum-type": "COMPOSITE"}
    operation = _complete(_part(1), headers)
    assert operation.checksum == Checksum(ChecksumAlgorithm.CRC32, "c===", ChecksumType.COMPOSITE)
    assert operation.checksum_type is ChecksumType.COMPOSITE


def test_part_that_is_listed_twice_counts_as_listed_last() -> None:
    again = _part(2).replace("e2", "last")
    assert [(part.number, part.etag) for part in _complete(_part(1) + _part(2) + again).parts] == [
        (1, "e1"),
        (2, "last"),
    ]


@pytest.mark.parametrize("numbers", [(2, 1), (1, 3, 2), (1, 2, 1)])
def test_parts_that_do_not_ascend_are_invalid_part_order(numbers: tuple[int, ...]) -> None:
    body = "<CompleteMultipartUpload>" + "".join(map(_part, numbers)) + "</CompleteMultipartUpload>"
    assert refuse("POST", COMPLETE, body=body.encode()).code is ErrorCode.INVALID_PART_ORDER


@pytest.mark.parametrize(
    "parts",
    [
        "",
        "<Part/>",
        "<Part><PartNumber>1</PartNumber></Part>",
        "<Part><ETag>e</ETag></Part>",
        "<Other><PartNumber>1</PartNumber><ETag>e</ETag></Other>",
        _part(1, "<ETag>f</ETag>"),
        _part(1, "<ChecksumSHA1>a</ChecksumSHA1><ChecksumCRC32>b</ChecksumCRC32>"),
    ],
)
def test_complete_without_proper_parts_is_malformed(parts: str) -> None:
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert refuse("POST", COMPLETE, body=body).code is ErrorCode.MALFORMED_XML


def test_complete_without_a_body_is_malformed() -> None:
    assert refuse("POST", COMPLETE).code is ErrorCode.MALFORMED_XML


def test_ten_thousand_parts_are_the_most() -> None:
    checksum = "<ChecksumSHA256>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ChecksumSHA256>"
    assert len(_complete("".join(_part(number, checksum) for number in range(1, 10_001))).parts) == 10_000
    body = "<CompleteMultipartUpload>" + "".join(_part(1) for _ in range(10_001)) + "</CompleteMultipartUpload>"
    assert refuse("POST", COMPLETE, body=body.encode()).code is ErrorCode.MALFORMED_XML


@pytest.mark.parametrize("number", ["0", "10001", "one"])
def test_completed_part_number_out_of_range_is_invalid_argument(number: str) -> None:
    body = f"<CompleteMultipartUpload>{_part(number)}</CompleteMultipartUpload>".encode()
    assert refuse("POST", COMPLETE, body=body).code is ErrorCode.INVALID_ARGUMENT


def test_two_checksums_of_the_whole_object_are_refused() -> None:
    headers = {"x-amz-checksum-crc32": "a", "x-amz-checksum-sha1": "b"}
    body = f"<CompleteMultipartUpload>{_part(1)}</CompleteMultipartUpload>".encode()
    assert refuse("POST", COMPLETE, headers, body).code is ErrorCode.INVALID_REQUEST


def test_abort_and_list_parts_name_the_upload() -> None:
    assert ask("DELETE", COMPLETE) == model.AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=UPLOAD)
    assert ask("GET", f"{COMPLETE}&max-parts=2000&part-number-marker=7") == model.ListParts(
        bucket=BUCKET, key=KEY, upload_id=UPLOAD, max_parts=1000, part_number_marker=7
    )
