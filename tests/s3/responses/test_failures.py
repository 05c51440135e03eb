import pytest
from lxml import etree

from s3proxy.http1.messages import Response
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.responses import error
from tests.s3.responses.reading import headers_of


def _error(failure: S3Error, *, is_head: bool = False) -> Response:
    return error(failure, is_head=is_head, resource="/bucket/k<>\0", request_id="RID", host_id="HID")


def test_error_document_has_the_elements_of_aws_in_order() -> None:
    response = _error(S3Error(ErrorCode.NO_SUCH_TAG_SET, detail={"BucketName": "bucket"}))
    assert response.status == 404
    assert headers_of(response) == {"content-type": "application/xml"}
    assert response.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchTagSet</Code>'
        b"<Message>The TagSet does not exist</Message><BucketName>bucket</BucketName>"
        b"<Resource>/bucket/k&lt;&gt;&#x0;</Resource><RequestId>RID</RequestId><HostId>HID</HostId></Error>"
    )


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_becomes_its_status_and_a_readable_document(code: ErrorCode) -> None:
    response = error(S3Error(code), is_head=False, resource="/b", request_id="r", host_id="h")
    assert response.status == code.status
    if code is ErrorCode.NOT_MODIFIED:
        assert response.body == b""
        return
    assert isinstance(response.body, bytes)
    assert etree.fromstring(response.body).findtext("Code") == code.wire_name


def test_head_error_has_no_document() -> None:
    response = _error(S3Error(ErrorCode.NO_SUCH_KEY), is_head=True)
    assert (response.status, response.body, response.content_length) == (404, b"", 0)


def test_headers_of_an_error_are_sent_without_line_ends() -> None:
    response = _error(S3Error(ErrorCode.METHOD_NOT_ALLOWED, headers={"Allow": "GET,\r\n HEAD"}))
    assert headers_of(response)["allow"] == "GET,   HEAD"
