import pytest

from s3proxy.s3.client.failures import parse_failure
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.responses import error_document


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.wire_name)
def test_failure_is_the_error_that_was_rendered(code: ErrorCode) -> None:
    document = error_document(S3Error(code, "so <it> is"), resource="/b", request_id="1", host_id="2")
    error = parse_failure(code.status, [], document).error()
    assert (error.code, error.message) == (code, "so <it> is")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ErrorCode.BAD_REQUEST),
        (403, ErrorCode.ACCESS_DENIED),
        (404, ErrorCode.NO_SUCH_KEY),
        (412, ErrorCode.PRECONDITION_FAILED),
        (416, ErrorCode.INVALID_RANGE),
        (418, ErrorCode.INVALID_REQUEST),
        (507, ErrorCode.INTERNAL_ERROR),
    ],
)
def test_unknown_failure_is_the_nearest_by_its_status_with_its_message(status: int, code: ErrorCode) -> None:
    body = b"<Error><Code>XMinioOfItsOwn</Code><Message>said</Message></Error>"
    assert parse_failure(status, [], b"").error().code is code
    assert (parse_failure(status, [], body).error().code, parse_failure(status, [], body).message) == (code, "said")


def test_body_that_is_no_error_document_says_nothing() -> None:
    failure = parse_failure(403, [], b"<!DOCTYPE html><h1>Forbidden</h1>")
    assert (failure.name, failure.message) == ("", "")


def test_message_is_bounded() -> None:
    assert len(parse_failure(400, [], b"<Error><Message>%b</Message></Error>" % (b"x" * 9999)).message) == 1024


def test_detail_about_our_own_request_is_not_passed_on() -> None:
    body = b"<Error><Code>AccessDenied</Code><StringToSign>AWS4...</StringToSign></Error>"
    assert parse_failure(403, [], body).error().detail == {}


def test_region_comes_from_header_or_document() -> None:
    assert parse_failure(301, [(b"x-amz-bucket-region", b"eu-west-1")], b"").region == "eu-west-1"
    assert parse_failure(400, [], b"<Error><Region>eu-west-1</Region></Error>").region == "eu-west-1"
    assert parse_failure(400, [], b"").region is None


def test_unsatisfiable_range_tells_the_size() -> None:
    error = parse_failure(416, [(b"content-range", b"bytes */10")], b"").error()
    assert (error.detail, error.headers) == ({"ActualObjectSize": "10"}, {"Content-Range": "bytes */10"})
