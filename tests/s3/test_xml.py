from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from s3proxy.s3 import xml
from s3proxy.s3.errors import ErrorCode, S3Error


def _parse(body: bytes) -> xml.Element:
    return xml.parse(body, "Delete", max_bytes=100_000, max_elements=1000)


def _refusal(body: bytes) -> ErrorCode | None:
    try:
        _parse(body)
    except S3Error as error:
        return error.code
    return None


def _refuses(body: bytes) -> bool:
    return _refusal(body) is ErrorCode.MALFORMED_XML


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete><Object><Key>k</Key></Object></Delete>",
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>k</Key></Object></Delete>',
        b'<a:Delete xmlns:a="urn:x"><a:Object><a:Key>k</a:Key></a:Object></a:Delete>',
        b'<?xml version="1.0" encoding="UTF-8"?><!-- c --><Delete><Object><Key><![CDATA[k]]></Key></Object></Delete>',
    ],
)
def test_document_is_read_with_any_or_no_namespace(body: bytes) -> None:
    root = _parse(body)
    assert [xml.local_name(child) for child in root] == ["Object"]
    assert xml.texts(root[0]) == {"Key": "k"}


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY a "lol">'
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % ((name, *[name - 1] * 8)) for name in range(98, 108)
    )
    + b"]><Delete>&k;</Delete>"
)
EXTERNAL = b'<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Key>&x;</Key></Delete>'


@pytest.mark.parametrize(
    "body",
    [
        EXTERNAL,
        BOMB,
        b'<!DOCTYPE Delete SYSTEM "http://127.0.0.1:1/x.dtd"><Delete/>',
        b"<!DOCTYPE Delete><Delete/>",
        EXTERNAL.decode().encode("utf-16"),
        '<?xml version="1.0" encoding="utf-16"?>'.encode("utf-16") + b"<Delete/>",
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE Delete+AD4-<Delete/>',
        b"<Delete>&undefined;</Delete>",
    ],
)
def test_doctype_and_entities_are_refused_in_any_encoding(body: bytes) -> None:
    # CVE-2022-47950, CVE-2025-27136: external entities and entity bombs
    assert _refuses(body)


def test_deep_nesting_is_refused() -> None:
    # CVE-2022-47950: nesting
    depth = 400
    assert _refuses(b"<Delete>" + b"<a>" * depth + b"</a>" * depth + b"</Delete>")


@pytest.fixture
def _no_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    def build_tree(*_: object) -> None:
        pytest.fail("a tree was built")

    monkeypatch.setattr(etree, "fromstring", build_tree)


@pytest.mark.usefixtures("_no_tree")
@pytest.mark.parametrize(
    "body",
    [
        b"<Delete>" + b"<a/>" * 20_000 + b"</Delete>",
        b"<Delete>" + b"<!---->" * 10_000 + b"</Delete>",
        b"<Delete>" + b"<?a?>" * 10_000 + b"</Delete>",
        b"<Delete " + b" ".join(b'a%d=""' % number for number in range(5000)) + b"/>",
        b"<Delete>" + b"x" * 100_000 + b"</Delete>",
        EXTERNAL,
        BOMB,
    ],
)
def test_document_that_would_grow_is_refused_before_a_tree_is_built(body: bytes) -> None:
    # CVE-2022-47950, CVE-2025-27136: a small body that makes a large tree, a body over the cap, a bomb
    assert _refuses(body)


@pytest.mark.parametrize(
    "body", [b"", b" ", b"x", b"<Delete>", b"<Other/>", b"<Delete/><Delete/>", b"<Delete>\xff</Delete>", b"<a:Delete/>"]
)
def test_what_is_not_the_document_is_malformed(body: bytes) -> None:
    assert _refuses(body)


def test_element_that_occurs_twice_is_refused() -> None:
    with pytest.raises(S3Error):
        xml.texts(_parse(b"<Delete><Key>a</Key><Key>b</Key></Delete>"))


@given(st.binary(max_size=200), st.integers(0, 60))
@settings(max_examples=200)
def test_mutated_document_is_parsed_or_malformed(noise: bytes, place: int) -> None:
    valid = b"<Delete><Object><Key>k</Key></Object></Delete>"
    for body in (noise, valid[:place] + noise + valid[place:], valid[:place] + noise):
        assert _refusal(body) in {None, ErrorCode.MALFORMED_XML}


READABLE = st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: c in "\t\n\r" or ord(c) > 31))


@given(READABLE.filter(lambda text: not {"\ufffe", "\uffff"}.intersection(text)))
def test_written_text_reads_back(text: str) -> None:
    root = etree.fromstring(xml.document("Root", xml.element("Key", text)))
    assert (root[0].text or "") == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a&b<c>\"d'", "a&amp;b&lt;c&gt;&quot;d'"),
        ("a\0b\x01\n\r", "a&#x0;b&#x1;&#xA;&#xD;"),
        ("\x7f\x85\ufffe", "&#x7F;&#x85;&#xFFFE;"),
        ("ü€😀", "ü€😀"),
        ("\ud800", "\ufffd"),
    ],
)
def test_escape_writes_markup_and_controls_as_references(text: str, written: str) -> None:
    assert xml.escape(text) == written


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("foo+1/bar", "foo%2B1/bar"),
        ("quux ab/", "quux%20ab/"),
        ("asdf+b", "asdf%2Bb"),
        ("\n", "%0A"),
        ("ü", "%C3%BC"),
        ("a-b_c.d~e/f", "a-b_c.d~e/f"),
        ("\ud800", "%3F"),
    ],
)
def test_url_encode_leaves_slashes(text: str, encoded: str) -> None:
    assert xml.url_encode(text) == encoded


@given(st.text(st.characters(codec="utf-8")))
def test_url_encode_is_plain_ascii_and_decodes_back(text: str) -> None:
    encoded = xml.url_encode(text)
    assert encoded.isascii()
    assert xml.escape(encoded) == encoded
    assert unquote(encoded) == text


def test_document_has_declaration_namespace_and_utf8() -> None:
    assert (
        xml.document("Root", xml.element("Key", "ü"))
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Root xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Key>ü</Key></Root>'
        ).encode()
    )
