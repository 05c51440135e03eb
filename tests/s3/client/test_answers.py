import pytest

from s3proxy.s3.client import answers
from s3proxy.s3.client.answers import MalformedAnswerError
from tests.stores.s3.scripted import MODIFIED, MODIFIED_NS


@pytest.mark.parametrize("body", [b"<A/>", b'\n \n<?xml version="1.0"?><A xmlns="http://x/"><B>1</B><B>2</B></A>'])
def test_document_is_known_by_its_root_whatever_namespace_and_space_before(body: bytes) -> None:
    root = answers.parse_document(body, "A")
    assert answers.texts(root) in ({}, {"B": "1"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<B/>",
        b"<A>",
        b"<html><body>It works!</body></html>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><A>&b;</A>',  # CVE-2022-47950
        b"<A>" + b"<B/>" * 100_000 + b"</A>",
        b"<A>" + b"x" * answers.MAX_DOCUMENT_BYTES + b"</A>",
        b"\x1f\x8b\x08\x00",  # rclone CVE-2026-71310: a body that is compressed without being asked for
    ],
    ids=["empty", "other root", "cut", "page", "doctype", "elements", "long", "compressed"],
)
def test_document_that_breaks_a_rule_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        answers.parse_document(body, "A")


def test_document_may_go_by_its_alias() -> None:
    assert answers.parse_document(b"<B/>", "A", alias="B") is not None


@pytest.mark.parametrize(
    ("text", "encoding", "key"),
    [
        ("a+b%2B", "url", "a b+"),
        ("a%20b", "url", "a b"),
        ("%C3%A9", "url", "é"),
        ("a%zz", "url", "a%zz"),
        ("a+%2B", "", "a+%2B"),
    ],
)
def test_key_is_decoded_as_the_answer_says(text: str, encoding: str, key: str) -> None:
    assert answers.decoded(text, encoding) == key


def test_key_that_is_not_utf_8_is_malformed() -> None:
    with pytest.raises(MalformedAnswerError):
        answers.decoded("%ff", "url")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "0x1", "\u0661", "1" * 20])
def test_number_that_is_none_is_malformed(text: str) -> None:
    with pytest.raises(MalformedAnswerError):
        answers.parse_number(text)


def test_times_of_documents_and_headers_are_the_same_whole_seconds() -> None:
    assert answers.parse_time_ns("1994-11-06T08:49:37.999Z") == answers.parse_date_ns(MODIFIED.encode()) == MODIFIED_NS
    with pytest.raises(MalformedAnswerError):
        answers.parse_time_ns("yesterday")
    with pytest.raises(MalformedAnswerError):
        answers.parse_date_ns(b"yesterday")


def test_boolean_that_is_none_is_malformed() -> None:
    assert (answers.parse_boolean("true"), answers.parse_boolean("false")) == (True, False)
    with pytest.raises(MalformedAnswerError):
        answers.parse_boolean("TRUE?")


@pytest.mark.parametrize(("text", "etag"), [('"a-1"', "a-1"), ("a", "a"), ('W/"a"', ""), ("", "")])
def test_etag_is_bare_and_strong(text: str, etag: str) -> None:
    assert answers.parse_etag(text) == etag


def test_first_of_repeated_headers_counts() -> None:
    assert answers.fields_of([(b"a", b"1"), (b"a", b"2")]) == {b"a": b"1"}


def test_missing_text_is_malformed() -> None:
    with pytest.raises(MalformedAnswerError):
        answers.required({}, "ETag")


@pytest.mark.parametrize("reference", ["&#0;", "&#x0;", "&#x1b;", "&#x00001F;", "&#31;", "&#xB;", "&#xFFFF;"])
def test_reference_to_what_is_no_text_makes_one_field_unreadable_and_not_the_document(reference: str) -> None:
    root = answers.parse_document(f"<A><Key>a{reference}</Key><UploadId>b</UploadId></A>".encode(), "A")
    assert answers.texts(root) == {"Key": "a\ufffd", "UploadId": "b"}


@pytest.mark.parametrize(
    ("reference", "text"), [("&#9;", "\t"), ("&#xA;", "\n"), ("&#x20;", " "), ("&#x10;", "\ufffd")]
)
def test_reference_to_text_is_that_text(reference: str, text: str) -> None:
    assert answers.texts(answers.parse_document(f"<A><Key>{reference}</Key></A>".encode(), "A")) == {"Key": text}
