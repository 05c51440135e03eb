"""The contract of every store, through S3 as moto and Ceph understand it."""

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
import trio

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import CannedAcl, ChecksumAlgorithm, CreateBucket, Tags
from s3proxy.s3.sigv4 import Credentials
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.s3.credentials import FixedCredentials
from s3proxy.stores.s3.exchange import Patience
from s3proxy.stores.s3.store import S3Store, Settings
from tests.stores.bodies import body_of
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.contracts_of_uploads import ETAG_OF_TWO, FIRST, LAST, stored_two
from tests.stores.s3.scripted import answer, s3_of
from tests.stores.vocabulary import BUCKET, OWNER, get, head, keys_of, make_bucket, page, put, put_of, raises
from tests.understores import UnderStore, ceph, moto

__all__ = ["ceph", "moto"]  # fixtures


def store_at(place: UnderStore, *, is_moto: bool) -> S3Store:
    credentials = Credentials(access_key=place.access_key, secret_key=place.secret_key, region=place.region)
    settings = Settings(
        endpoint=place.endpoint,
        region=place.region,
        checksum_trailers=is_moto,
        conditional_writes="all" if is_moto else "put",
        patience=Patience(deadline=2),  # moto answers 500 now and then, and means it
    )
    return S3Store.open(settings, credentials=FixedCredentials(credentials))


@pytest.fixture
def clean_moto(moto: UnderStore) -> UnderStore:
    moto.clear()
    return moto


@pytest.fixture
def clean_ceph(ceph: UnderStore) -> UnderStore:
    ceph.clear()
    return ceph


@pytest.fixture
async def moto_store(clean_moto: UnderStore) -> AsyncIterator[S3Store]:
    store = store_at(clean_moto, is_moto=True)
    yield store
    await store.aclose()


@pytest.fixture
async def ceph_store(clean_ceph: UnderStore) -> AsyncIterator[S3Store]:
    store = store_at(clean_ceph, is_moto=False)
    yield store
    await store.aclose()


# What no S3 behind this gateway can give, whichever it is.
_ALWAYS = {
    "create_bucket_keeps_acl_and_location": "one of a bucket's 50 tags is ours; see test_bucket_keeps_49_tags",
    "bucket_tagging_replaces_and_removes": "the same",
    "put_object_of_unannounced_length_is_stored": "S3 takes no body without a length: 411",
    "complete_joins_the_listed_parts": "S3 does not list the parts of an object; see test_completed_object",
}
_NO_CHECKSUMS = "Ceph 16 knows no x-amz-checksum-*"
_ONLY_PUT = "Ceph 16 ignores conditions of all but PutObject, and so they are refused"
_ONLY_CEPH = {
    "copy_object_checks_the_target_s_conditions": _ONLY_PUT,
    "complete_checks_its_conditions": _ONLY_PUT,
    "delete_object_if_match_removes_that_version_only": _ONLY_PUT,
    "put_object_keeps_its_checksum": _NO_CHECKSUMS,
    "copy_object_computes_the_checksum_that_is_asked_for": _NO_CHECKSUMS,
    "complete_gives_a_composite_checksum": _NO_CHECKSUMS,
    "complete_gives_a_full_object_checksum": _NO_CHECKSUMS,
    "complete_refuses_a_wrong_checksum_of_a_part": _NO_CHECKSUMS,
    "upload_part_copy_takes_the_range": _NO_CHECKSUMS,
    "list_parts_pages_by_number": _NO_CHECKSUMS,
    "object_attributes_list_the_parts": "Ceph 16 answers GetObjectAttributes with the object",
    "copy_of_multipart_object_has_the_md5_of_its_bytes": "Ceph gives the copy the ETag of its source",
    "complete_refuses_parts_that_do_not_fit": "Ceph 16 completes only with all parts that were uploaded",
    "put_object_keeps_metadata_of_the_largest_size": "Ceph 16 takes 16 KiB of headers, and 256 bytes of a tag's value",
    "put_object_tagging_changes_nothing_else": "Ceph 16 counts a tag's value in bytes, not in characters",
    "list_multipart_uploads_pages_by_key_and_time": "Ceph orders the uploads of one key by their random ids",
    "list_multipart_uploads_groups_by_delimiter": "Ceph 16 does not count common prefixes against max-uploads",
}
_TAGS_STAY = "moto gives the tags of a deleted bucket to the next one of its name"
_UNKNOWN_UPLOAD = "moto answers 500 for an upload that it does not know"
_ONLY_MOTO = {
    "bucket_made_again_is_empty_and_its_new_owner_s": _TAGS_STAY,
    "put_into_bucket_deleted_meanwhile_is_no_such_bucket": _TAGS_STAY,
    "delete_bucket_drops_its_uploads": _TAGS_STAY,
    "keys_are_kept_byte_for_byte": "moto takes some keys for paths",
    "object_tagging_of_missing_key_is_no_such_key": "moto answers 500",
    "complete_gives_a_composite_checksum": "moto judges no checksums of multipart objects",
    "complete_gives_a_full_object_checksum": "the same",
    "complete_refuses_a_wrong_checksum_of_a_part": "the same",
    "list_parts_pages_by_number": "the same",
    "upload_part_copy_takes_the_range": "the same",
    "object_attributes_list_the_parts": "moto counts the parts and does not list them",
    "copy_of_multipart_object_has_the_md5_of_its_bytes": "moto gives the copy the ETag of its source",
    "abort_forgets_the_upload": _UNKNOWN_UPLOAD,
    "upload_id_that_was_never_given_is_no_such_upload": _UNKNOWN_UPLOAD,
    "upload_belongs_to_its_bucket_and_key": "moto finds an upload by its id alone",
    "list_multipart_uploads_pages_by_key_and_time": "moto ignores max-uploads and the markers",
    "list_multipart_uploads_groups_by_delimiter": "moto ignores the delimiter",
}


def checks_but(reasons: Mapping[str, str]) -> pytest.MarkDecorator:
    """Every check, those with a reason expected to fail."""
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(check, id=name, marks=[pytest.mark.xfail(reason=reasons[name])] if name in reasons else [])
            for check in CHECKS
            for name in [name_of(check)]
        ],
    )


@checks_but(_ALWAYS | _ONLY_MOTO)
async def test_s3_store_over_moto_keeps_the_contract(check: Check, moto_store: S3Store) -> None:
    await check(moto_store)


@checks_but(_ALWAYS | _ONLY_CEPH)
async def test_s3_store_over_ceph_keeps_the_contract(check: Check, ceph_store: S3Store) -> None:
    await check(ceph_store)


# What those checks would say, within what the stores can


@pytest.fixture(params=["clean_moto", "clean_ceph"])
async def any_store(request: pytest.FixtureRequest) -> AsyncIterator[S3Store]:
    store = store_at(request.getfixturevalue(request.param), is_moto=request.param == "clean_moto")
    yield store
    await store.aclose()


async def test_bucket_keeps_49_tags(any_store: S3Store) -> None:
    create = CreateBucket(bucket=BUCKET, location_constraint="more", acl=CannedAcl.PUBLIC_READ)
    await any_store.create_bucket(create, OWNER)
    tags_of_clients: tuple[Tags, ...] = ({}, {"é": "a b"}, {f"{n:03d}" * 40: "x" * 256 for n in range(49)}, {})
    for tags in tags_of_clients:
        await any_store.put_bucket_tagging(BUCKET, tags)
        assert await any_store.get_bucket_tagging(BUCKET) == tags
        info = await any_store.get_bucket(BUCKET)
        assert (info.acl, info.location, info.owner) == (CannedAcl.PUBLIC_READ, "more", OWNER)
    with raises(ErrorCode.INVALID_TAG):
        await any_store.put_bucket_tagging(BUCKET, {str(number): "" for number in range(50)})


async def test_completed_object(any_store: S3Store) -> None:
    await make_bucket(any_store)
    result = await any_store.complete_multipart_upload(await stored_two(any_store))
    info = await head(any_store)
    assert (result.etag, result.size) == (info.etag, info.size) == (ETAG_OF_TWO, len(FIRST + LAST))
    assert await get(any_store) == FIRST + LAST


async def test_large_objects_pass_both_ways(any_store: S3Store) -> None:
    await make_bucket(any_store)
    data = random.Random(3).randbytes(20_000_001)
    result = await put(any_store, data, algorithm=ChecksumAlgorithm.CRC64NVME)
    assert (result.size, await get(any_store)) == (len(data), data)


async def test_ceph_stores_nothing_of_a_body_that_was_not_verified(ceph_store: S3Store) -> None:
    await make_bucket(ceph_store)
    with raises(ErrorCode.BAD_DIGEST):
        await ceph_store.put_object(put_of(), body_of(b"x" * 5_000_000, md5=bytes(16)))
    await trio.sleep(0.3)  # it may notice late that nothing more comes
    assert await keys_of(ceph_store) == []


# Settings


def test_amazon_is_the_default_and_takes_trailers() -> None:
    settings = Settings(region="eu-west-1")
    assert (settings.place.host, settings.location, settings.takes_trailers) == (
        "s3.eu-west-1.amazonaws.com",
        "eu-west-1",
        True,
    )
    assert Settings().location is None
    assert settings.honoured == "all"


def test_other_endpoint_is_addressed_by_path_and_trusted_with_less() -> None:
    settings = Settings(endpoint="http://store:8000", region="eu-west-1")
    assert (settings.place.addressing, settings.location, settings.takes_trailers) == ("path", None, False)
    assert (settings.honoured, replace(settings, conditional_writes="all").honoured) == ("put", "all")


# One page may take several requests


async def test_listing_goes_on_over_empty_pages() -> None:
    empty = b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    last = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    async with s3_of(answer(200, empty + b"</ListBucketResult>"), answer(200, last)) as (store, script):
        assert (await page(store)).objects == ()
    assert "continuation-token=t" in script.asked()[1]


async def test_listing_of_empty_pages_without_end_is_unavailable() -> None:
    empty = b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    async with s3_of(*[answer(200, empty + b"</ListBucketResult>")] * 100) as (store, _):
        with pytest.raises(StoreUnavailableError, match="empty page"):
            await page(store)
