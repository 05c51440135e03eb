import pytest

from s3proxy.s3.model import Key, ListMultipartUploads, Upload, UploadId
from s3proxy.stores.local.upload_pages import page_of_uploads
from tests.stores.vocabulary import BUCKET

UPLOADS = [
    Upload(key=Key(key), upload_id=UploadId(upload_id), initiated_ns=0)
    for key, upload_id in (("a", "1"), ("a", "2"), ("b/x", "3"), ("b/y", "4"), ("c", "5"))
]


@pytest.mark.parametrize(
    ("fields", "ids", "prefixes", "is_truncated"),
    [
        ({}, "12345", (), False),
        ({"max_uploads": 0}, "", (), False),
        ({"max_uploads": 5}, "12345", (), False),
        ({"max_uploads": 1}, "1", (), True),
        ({"prefix": "b"}, "34", (), False),
        ({"key_marker": "a"}, "345", (), False),
        ({"key_marker": "a", "upload_id_marker": "1"}, "2345", (), False),
        ({"key_marker": "A", "upload_id_marker": "9"}, "12345", (), False),
        ({"delimiter": "/"}, "125", ("b/",), False),
        ({"delimiter": "/", "max_uploads": 3}, "12", ("b/",), True),
        ({"delimiter": "/", "key_marker": "b/"}, "5", (), False),
        ({"delimiter": "/", "key_marker": "b/x"}, "5", ("b/",), False),
        ({"delimiter": "/", "prefix": "b/"}, "34", (), False),
        ({"delimiter": "?"}, "12345", (), False),
    ],
)
def test_page_of_uploads(fields: dict[str, str | int], ids: str, prefixes: tuple[str, ...], is_truncated: bool) -> None:
    operation = ListMultipartUploads(bucket=BUCKET, **fields)  # type: ignore[arg-type]  # a table of arguments
    page = page_of_uploads(UPLOADS, operation)
    assert "".join(upload.upload_id for upload in page.uploads) == ids
    assert (page.common_prefixes, page.is_truncated) == (prefixes, is_truncated)
