"""Requests about buckets and tags, each with how its answer is read."""

import base64
import hashlib

from s3proxy.s3 import xml
from s3proxy.s3.client import answers
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import XML_TYPE, StoreRequest, document
from s3proxy.s3.model import Bucket, Key, Tags

_MOST_TAGS = 64


def list_buckets() -> StoreRequest:
    """GET /."""
    return StoreRequest(method=b"GET")


def parse_buckets(body: bytes) -> dict[Bucket, int]:
    """The time in nanoseconds at which each bucket was made.

    Raises:
        MalformedAnswerError: the answer is no list of buckets.

    Source: S3 API ListBuckets.
    """
    root = answers.parse_document(body, "ListAllMyBucketsResult")
    found: dict[Bucket, int] = {}
    for buckets in answers.children(root, "Buckets"):
        for element in answers.children(buckets, "Bucket"):
            texts = answers.texts(element)
            created_ns = answers.parse_time_ns(answers.required(texts, "CreationDate"))
            found[Bucket(answers.required(texts, "Name"))] = created_ns
    return found


def create_bucket(bucket: Bucket, region: str | None) -> StoreRequest:
    """PUT /bucket, in ``region`` where the store wants to be told.

    Source: S3 API CreateBucket.
    """
    if region is None:
        return StoreRequest(method=b"PUT", bucket=bucket)
    body = document("CreateBucketConfiguration", xml.element("LocationConstraint", region))
    return StoreRequest(method=b"PUT", bucket=bucket, headers=(XML_TYPE,), body=body)


def head_bucket(bucket: Bucket) -> StoreRequest:
    """HEAD /bucket."""
    return StoreRequest(method=b"HEAD", bucket=bucket)


def delete_bucket(bucket: Bucket) -> StoreRequest:
    """DELETE /bucket."""
    return StoreRequest(method=b"DELETE", bucket=bucket)


def get_tagging(bucket: Bucket, key: Key | None = None) -> StoreRequest:
    """GET ?tagging of a bucket or an object."""
    return StoreRequest(method=b"GET", bucket=bucket, key=key, query=b"tagging")


def put_tagging(tags: Tags, bucket: Bucket, key: Key | None = None) -> StoreRequest:
    """PUT ?tagging of a bucket or an object, or DELETE where there are none.

    Source: S3 API PutBucketTagging, PutObjectTagging.
    """
    if not tags:
        return StoreRequest(method=b"DELETE", bucket=bucket, key=key, query=b"tagging")
    rows = (f"<Tag>{xml.element('Key', name)}{xml.element('Value', tags[name])}</Tag>" for name in sorted(tags))
    body = document("Tagging", "<TagSet>", *rows, "</TagSet>")
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
    headers = (XML_TYPE, (b"content-md5", digest))  # which the API requires here
    return StoreRequest(method=b"PUT", bucket=bucket, key=key, query=b"tagging", headers=headers, body=body)


def parse_tagging(body: bytes) -> Tags:
    """The tags of a Tagging document; none in nothing at all, as Ceph 16 answers of what was uploaded in parts.

    Raises:
        MalformedAnswerError: it is none.
    """
    if not body:
        return {}
    root = answers.parse_document(body, "Tagging")
    tags: dict[str, str] = {}
    for tag_set in answers.children(root, "TagSet"):
        for element in answers.children(tag_set, "Tag"):
            texts = answers.texts(element)
            tags[answers.required(texts, "Key")] = texts.get("Value", "")
    if len(tags) > _MOST_TAGS:
        raise MalformedAnswerError(f"{len(tags)} tags")
    return tags
