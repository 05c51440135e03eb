"""Responses about a bucket itself, and the tags and access lists that objects have in the same form."""

from s3proxy.http1.messages import Response
from s3proxy.s3 import xml
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, CannedAcl, Group, Owner, Permission, Tags
from s3proxy.s3.responses.fields import header_value, owner_element, xml_response

_US_EAST_1 = "us-east-1"


def create_bucket(bucket: Bucket) -> Response:
    """200, with where the bucket is."""
    return Response(200, [(b"location", header_value(f"/{bucket}"))])


def head_bucket(region: str) -> Response:
    """200, with the region that SDKs sign for."""
    headers = [
        (b"x-amz-bucket-region", header_value(region)),
        (b"x-amz-access-point-alias", b"false"),
        (b"content-type", b"application/xml"),
    ]
    return Response(200, headers, content_length=0)


def no_content() -> Response:
    """204: DeleteBucket, DeleteObject, AbortMultipartUpload, PutBucketTagging, and the deletion of tags."""
    return Response(204, [])


def get_bucket_location(location: str | None, region: str) -> Response:
    """The location that the bucket was created with, or else the region.

    The region us-east-1 is empty, as it was before there were others.
    """
    if location is None:
        location = "" if region == _US_EAST_1 else region
    return xml_response(xml.document("LocationConstraint", xml.escape(location)))


def get_bucket_tagging(tags: Tags) -> Response:
    """A bucket's tags.

    Raises:
        S3Error: NO_SUCH_TAG_SET when there are none.
    """
    if not tags:
        raise S3Error(ErrorCode.NO_SUCH_TAG_SET)
    return _tagging(tags)


def get_object_tagging(tags: Tags) -> Response:
    """An object's tags; none is an empty set."""
    return _tagging(tags)


def put_object_tagging() -> Response:
    """200; a bucket's tags are answered 204."""
    return Response(200, [])


def _tagging(tags: Tags) -> Response:
    rows = (f"<Tag>{xml.element('Key', key)}{xml.element('Value', tags[key])}</Tag>" for key in sorted(tags))
    return xml_response(xml.document("Tagging", "<TagSet>", *rows, "</TagSet>"))


_GRANTEE = '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type='


def get_acl(owner: Owner, acl: CannedAcl) -> Response:
    """The access list of a bucket or an object: its owner has full control, and others what ``acl`` grants.

    Source: S3 API GetBucketAcl, GetObjectAcl.
    """
    user = xml.element("ID", owner.id) + xml.element("DisplayName", owner.display_name)
    return xml_response(
        xml.document(
            "AccessControlPolicy",
            owner_element(owner),
            "<AccessControlList>",
            # S3 promises no order; this is Ceph's, whose tests do not bear another.
            *(_group_grant(group, permission) for group, permission in acl.grants),
            f'<Grant>{_GRANTEE}"CanonicalUser">{user}</Grantee><Permission>FULL_CONTROL</Permission></Grant>',
            "</AccessControlList>",
        )
    )


def _group_grant(group: Group, permission: Permission) -> str:
    return (
        f'<Grant>{_GRANTEE}"Group"><URI>{group.value}</URI></Grantee>'
        f"<Permission>{permission.value}</Permission></Grant>"
    )
