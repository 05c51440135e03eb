"""What fails over some stores, and why: the one list of what a node cannot make up for.

Names are those of tests, with their parameters but for the kind of node where only some of these fail.
"""

from collections.abc import Mapping

_NO_LENGTH = "S3 wants the length of a body before it begins"
_FAR: Mapping[str, str] = {
    "test_upload_from_a_pipe_comes_in_chunks": _NO_LENGTH,
    "test_well_formed_chunked_body_is_stored_and_the_connection_kept": _NO_LENGTH,
    "test_other_bytes_in_stored_metadata_come_back_as_one_header_or_are_refused[=?UTF-8?B?Y2Fmw6k=?=]": (
        "S3 gives back in this form what it was not given in it; so it is decoded"
    ),
}
_CACHED: Mapping[str, str] = {
    "test_directory_swapped_for_a_link_while_it_is_used_is_not_followed": (
        "what is changed straight in the store is seen when metadata_ttl_seconds are over"
    ),
}
_NO_CHECKSUMS = "Ceph keeps no checksums, before its release 19"
_CEPH: Mapping[str, str] = {
    "test_s3api_calls_answer_in_json": _NO_CHECKSUMS,
    "test_put_with_a_checksum_gives_it_back_when_asked": _NO_CHECKSUMS,
    "test_put_with_default_settings_stores_the_clients_checksum": _NO_CHECKSUMS,
    "test_object_attributes_tell_what_is_asked": _NO_CHECKSUMS,
    "test_full_object_checksum_is_that_of_the_whole_object": _NO_CHECKSUMS,
    "test_composite_checksum_is_that_of_the_parts_checksums": _NO_CHECKSUMS,
    "test_upload_in_aws_chunks_with_a_trailer_stores_the_content_alone": _NO_CHECKSUMS,
    "test_upload_shows_as_an_object_only_when_it_is_complete": "Ceph forgets the tags of an upload",
    "test_complete_joins_exactly_the_listed_parts": "Ceph joins all parts or none",
    "test_complete_with_wrong_parts_is_refused_and_the_upload_stays": "Ceph says InvalidPart also of one too small",
    "test_complete_if_none_match_never_replaces": "Ceph completes an upload whatever its conditions",
    "test_delete_if_match_deletes_only_what_the_client_has_seen": "Ceph deletes whatever the conditions",
    "test_list_multipart_uploads_pages_in_order_of_keys": "Ceph ignores the delimiter",
    "test_get_part_number_gives_that_part": "Ceph does not say of which parts an object was made",
}
_MOTO: Mapping[str, str] = {
    "test_list_multipart_uploads_pages_in_order_of_keys": "moto ignores max-uploads and the markers",
    "test_get_part_number_gives_that_part": "moto forgets of which parts an object was made",
    "test_full_object_checksum_is_that_of_the_whole_object": "moto does not compare the checksum of an upload",
    "test_composite_checksum_is_that_of_the_parts_checksums": "moto leaves out the number of parts",
    "test_any_key_is_stored_listed_and_deleted_as_it_is[\\n]": "moto takes a line feed for the end of the path",
    "test_plain_http_without_any_keys_works": "moto fails with 500 when the content type is that of a form",
    "test_get_while_others_overwrite_gives_one_version_whole": "moto fails with 500 when several write one key",
}
"""Not even tried: some of it moto answers with errors of its own, which the node would log."""

_BY_KIND: Mapping[str, Mapping[str, str]] = {
    "directory": {},
    "s3-uncached": _FAR,
    "ceph": {**_FAR, **_CACHED, **_CEPH},
    "moto": {**_FAR, **_CACHED, **_MOTO},
}


def reason_of(kind: str, name: str) -> str | None:
    """Why a test fails over nodes of a kind, or None.

    Args:
        kind: of the node.
        name: of the test, as pytest has it.
    """
    reasons = _BY_KIND.get(kind, {**_FAR, **_CACHED})
    without_kind = name.replace(f"[{kind}]", "").replace(f"[{kind}-", "[").replace(f"-{kind}]", "]")
    return reasons.get(without_kind) or reasons.get(name.partition("[")[0])
