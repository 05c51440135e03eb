from dataclasses import replace

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    CompleteMultipartUpload,
    ETag,
    Part,
    Upload,
    UploadId,
)
from s3proxy.stores.local.assembly import Assembly, assemble, default_type
from tests.stores.vocabulary import BUCKET, KEY, raises

CRC32, SHA256 = ChecksumAlgorithm.CRC32, ChecksumAlgorithm.SHA256
MD5 = ETag("d41d8cd98f00b204e9800998ecf8427e")
UPLOAD = Upload(key=KEY, upload_id=UploadId("id"), initiated_ns=0)
OPERATION = CompleteMultipartUpload(
    bucket=BUCKET,
    key=KEY,
    upload_id=UploadId("id"),
    parts=(CompletedPart(number=1, etag=MD5), CompletedPart(number=2, etag=MD5)),
)


def part_of(number: int, size: int = 0, checksum: Checksum | None = None) -> Part:
    return Part(number=number, size=size, etag=MD5, last_modified_ns=0, checksum=checksum)


def assembled(
    operation: CompleteMultipartUpload = OPERATION,
    upload: Upload = UPLOAD,
    checksum: Checksum | None = None,
    size: int = 0,
) -> Assembly:
    """The outcome of a completion where every part is stored."""
    return assemble(operation, upload, lambda number: part_of(number, size, checksum), min_part_size=0)


def test_parts_are_those_that_are_listed() -> None:
    assembly = assembled()
    assert assembly.parts == (part_of(1), part_of(2))
    assert (assembly.etag[-2:], assembly.checksum) == ("-2", None)


def test_only_the_last_part_may_be_small() -> None:
    stored = {1: part_of(1, 10), 2: part_of(2, 9)}
    assert assemble(OPERATION, UPLOAD, stored.get, min_part_size=10).parts == (stored[1], stored[2])
    with raises(ErrorCode.ENTITY_TOO_SMALL):
        assemble(OPERATION, UPLOAD, stored.get, min_part_size=11)


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_default_type_is_composite_but_for_crc64nvme(algorithm: ChecksumAlgorithm) -> None:
    is_full = algorithm is ChecksumAlgorithm.CRC64NVME
    assert default_type(algorithm) is (ChecksumType.FULL_OBJECT if is_full else ChecksumType.COMPOSITE)


def test_parts_without_the_upload_s_checksum_are_refused() -> None:
    upload = replace(UPLOAD, checksum_algorithm=CRC32)
    for checksum in (None, Checksum(SHA256, "")):
        with raises(ErrorCode.INVALID_REQUEST):
            assembled(upload=upload, checksum=checksum)


def test_full_object_checksum_of_a_sha_is_refused() -> None:
    upload = replace(UPLOAD, checksum_algorithm=SHA256, checksum_type=ChecksumType.FULL_OBJECT)
    with raises(ErrorCode.INVALID_REQUEST):
        assembled(upload=upload, checksum=Checksum(SHA256, ""))


def test_claim_of_another_algorithm_is_refused() -> None:
    upload = replace(UPLOAD, checksum_algorithm=CRC32)
    operation = replace(OPERATION, checksum=Checksum(SHA256, ""))
    with raises(ErrorCode.INVALID_REQUEST):
        assembled(operation, upload, Checksum(CRC32, "AAAAAA=="))


def test_composite_claim_counts_with_and_without_its_number_of_parts() -> None:
    upload = replace(UPLOAD, checksum_algorithm=CRC32)
    stored = Checksum(CRC32, "AAAAAA==")
    expected = assembled(upload=upload, checksum=stored).checksum
    assert expected is not None
    assert expected.value.endswith("-2")
    for value in (expected.value, expected.value.removesuffix("-2")):
        assert assembled(replace(OPERATION, checksum=Checksum(CRC32, value)), upload, stored).checksum == expected
    with raises(ErrorCode.BAD_DIGEST):
        assembled(replace(OPERATION, checksum=Checksum(CRC32, "AAAAAA==-2")), upload, stored)


def test_claim_without_an_algorithm_at_creation_is_checked_all_the_same() -> None:
    stored = Checksum(CRC32, "AAAAAA==")
    with raises(ErrorCode.BAD_DIGEST):
        assembled(replace(OPERATION, checksum=Checksum(CRC32, "BBBBBB==")), checksum=stored)
