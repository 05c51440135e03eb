import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model, xml
from s3proxy.s3.errors import ErrorCode
from tests.s3.requests.asking import ask, refuse

BUCKET, KEY = model.Bucket("bucket"), model.Key("key")
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def _delete(body: str) -> model.DeleteObjects:
    operation = ask("POST", "/bucket?delete", body=body.encode())
    assert isinstance(operation, model.DeleteObjects)
    return operation


def _objects(count: int) -> str:
    return "<Delete>" + "".join(f"<Object><Key>k{number}</Key></Object>" for number in range(count)) + "</Delete>"


def test_delete_object_reads_version_and_conditions() -> None:
    headers = {
        "if-match": '"abc"',
        "x-amz-if-match-last-modified-time": DATE,
        "x-amz-if-match-size": "9223372036854775807",
    }
    assert ask("DELETE", "/bucket/key?versionId=null", headers) == model.DeleteObject(
        bucket=BUCKET,
        key=KEY,
        version_id="null",
        conditions=model.WriteConditions(
            if_match="abc", if_match_last_modified=784111777, if_match_size=9223372036854775807
        ),
    )


def test_plain_delete_has_no_conditions() -> None:
    assert ask("DELETE", "/bucket/key") == model.DeleteObject(bucket=BUCKET, key=KEY)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("x-amz-if-match-last-modified-time", "soon", ErrorCode.INVALID_ARGUMENT),
        ("x-amz-if-match-size", "-1", ErrorCode.INVALID_ARGUMENT),
        ("x-amz-if-match-size", "9" * 5000, ErrorCode.INVALID_ARGUMENT),
        ("x-amz-if-match-size", "\xb2", ErrorCode.INVALID_ARGUMENT),
        ("if-none-match", "*", ErrorCode.NOT_IMPLEMENTED),
        ("if-unmodified-since", DATE, ErrorCode.NOT_IMPLEMENTED),
    ],
)
def test_delete_condition_that_cannot_be_checked_is_never_ignored(name: str, value: str, code: ErrorCode) -> None:
    assert refuse("DELETE", "/bucket/key", {name: value}).code is code


def test_delete_objects_reads_keys_versions_and_conditions() -> None:
    operation = _delete(
        '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>'
        "<Object><Key> a&#x0A;b </Key></Object>"
        "<Object><Key>../b</Key><VersionId>null</VersionId></Object>"
        f"<Object><Key>c</Key><ETag>&quot;e&quot;</ETag><LastModifiedTime>{DATE}</LastModifiedTime>"
        "<Size>0</Size></Object></Delete>"
    )
    assert operation == model.DeleteObjects(
        bucket=BUCKET,
        quiet=True,
        objects=(
            model.ObjectToDelete(key=model.Key(" a\nb ")),
            model.ObjectToDelete(key=model.Key("../b"), version_id="null"),
            model.ObjectToDelete(
                key=model.Key("c"),
                conditions=model.WriteConditions(if_match="e", if_match_last_modified=784111777, if_match_size=0),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("quiet", "expected"), [("", False), ("<Quiet>false</Quiet>", False), ("<Quiet>true</Quiet>", True)]
)
def test_delete_objects_is_quiet_only_when_asked(quiet: str, expected: bool) -> None:
    assert _delete(f"<Delete>{quiet}<Object><Key>k</Key></Object></Delete>").quiet is expected


def test_thousand_keys_are_deleted_and_one_more_is_malformed() -> None:
    # CVE-2022-47950: 1,001 keys
    assert len(_delete(_objects(1000)).objects) == 1000
    for count in (1001, 100_000):
        failure = refuse("POST", "/bucket?delete", body=_objects(count).encode())
        assert failure.code is ErrorCode.MALFORMED_XML


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<Delete/>",
        "<Delete><Object/></Delete>",
        "<Delete><Object><Key></Key></Object></Delete>",
        "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        "<Delete><Object><Key>a</Key><LastModifiedTime>soon</LastModifiedTime></Object></Delete>",
    ],
)
def test_delete_objects_that_names_nothing_is_malformed(body: str) -> None:
    assert refuse("POST", "/bucket?delete", body=body.encode()).code is ErrorCode.MALFORMED_XML


def test_delete_objects_with_a_key_too_long_is_refused() -> None:
    body = f"<Delete><Object><Key>{'k' * 1025}</Key></Object></Delete>"
    assert refuse("POST", "/bucket?delete", body=body.encode()).code is ErrorCode.KEY_TOO_LONG_ERROR


READABLE = st.text(st.characters(codec="utf-8").filter(lambda c: ord(c) > 31 and c not in "\ufffe\uffff"), min_size=1)


@given(st.lists(READABLE, min_size=1, max_size=5))
@settings(max_examples=50)
def test_delete_objects_reads_back_the_keys_that_were_written(keys: list[str]) -> None:
    body = "".join(f"<Object>{xml.element('Key', key)}</Object>" for key in keys)
    assert [entry.key for entry in _delete(f"<Delete>{body}</Delete>").objects] == keys
