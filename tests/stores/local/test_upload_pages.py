from functools import partial

import pytest

from s3proxy.s3.model import Key, ListMultipartUploads, Upload, UploadId
from s3proxy.stores.local.upload_pages import page_of_uploads
from tests.stores.vocabulary import BUCKET

UPLOADS = [
    Upload(key=Key(key), upload_id=UploadId(upload_id), initiated_ns=0)
    for key, upload_id in (("a", "1"), ("a", "2"), ("b/x", "3"), ("b/y", "4"), ("c", "5"))
]

uploads = partial(ListMultipartUploads, bucket=BUCKET)


@pytest.mark.parametrize(
    ("operation", "ids", "prefixes", "is_truncated"),
    [
        (uploads(), "12345", (), False),
        (uploads(max_uploads=0), "", (), False),
        (uploads(max_uploads=5), "12345", (), False),
        (uploads(max_uploads=1), "1", (), True),
        (uploads(prefix="b"), "34", (), False),
        (uploads(key_marker=Key("a")), "345", (), False),
        (uploads(key_marker=Key("a"), upload_id_marker=UploadId("1")), "2345", (), False),
        (uploads(key_marker=Key("A"), upload_id_marker=UploadId("9")), "12345", (), False),
        (uploads(delimiter="/"), "125", ("b/",), False),
        (uploads(delimiter="/", max_uploads=3), "12", ("b/",), True),
        (uploads(delimiter="/", key_marker=Key("b/")), "5", (), False),
        (uploads(delimiter="/", key_marker=Key("b/x")), "5", ("b/",), False),
        (uploads(delimiter="/", prefix="b/"), "34", (), False),
        (uploads(delimiter="?"), "12345", (), False),
    ],
)
def test_page_of_uploads(
    operation: ListMultipartUploads, ids: str, prefixes: tuple[str, ...], is_truncated: bool
) -> None:
    page = page_of_uploads(UPLOADS, operation)
    assert "".join(upload.upload_id for upload in page.uploads) == ids
    assert (page.common_prefixes, page.is_truncated) == (prefixes, is_truncated)
