import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.telemetry.text import (
    MOST_KEY,
    hide,
    printable,
    quoted,
    redacted,
    shown_target,
    stamp,
    without_secrets,
    word,
)

PRINTABLE = re.compile(r"[ -~]*")
# What has broken logs and terminals: line ends of every kind, escape sequences in 7 and 8 bits, NUL, DEL, characters
# that turn the direction of what follows (CVE-2021-42574), half a pair.
HOSTILE = 'a\r\nb\x1b[2Jc\x9b31md\x00\x7f\u202e\u2066\u2028\x85\ud800\t"\\'


@pytest.mark.parametrize(
    "shown", [word(HOSTILE), printable(HOSTILE), quoted(HOSTILE), shown_target(HOSTILE.encode("utf-8", "replace"))]
)
def test_hostile_text_is_shown_on_one_line_in_printable_ascii(shown: str) -> None:
    assert PRINTABLE.fullmatch(shown)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_quoted_text_is_read_back_as_it_was(text: str) -> None:
    assert json.loads(quoted(text)) == text


def test_quoted_half_a_pair_is_told_apart_in_words() -> None:
    assert json.loads(quoted("a\ud800")) == "a\\ud800"


@settings(max_examples=100)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(min_value=10, max_value=100))
def test_quoted_text_is_cut_at_a_character(text: str, most: int) -> None:
    shown = quoted(text, most)
    assert len(shown) <= most + 2
    read = json.loads(shown)
    assert read == text or (read.endswith("...") and text.startswith(read[:-3]))


@pytest.mark.parametrize("letter", "aÄж字𝄞", ids=["ascii", "latin", "cyrillic", "han", "music"])
def test_key_of_letters_is_never_cut(letter: str) -> None:
    key = letter * (1024 // len(letter.encode()))
    assert json.loads(quoted(key, MOST_KEY)) == key


def test_word_is_bounded() -> None:
    assert word("u" * 1000) == "u" * 128 + "..."


@pytest.mark.parametrize(
    "name",
    [
        "X-Amz-Signature",
        "x-amz-signature",
        "X-Amz-Security-Token",
        "X-Amz-Credential",
        "Signature",
        "AWSAccessKeyId",
        "token",
        "x-amz-server-side-encryption-customer-key",
        "X%2DAmz%2DSignature",
        "Signatur%65",
        "+Signature",
    ],
)
def test_query_without_secrets_hides_the_value_however_the_name_is_escaped(name: str) -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889: secrets in logs.
    assert without_secrets(f"a=1&{name}=s3cret&b=2") == f"a=1&{name}=...&b=2"


def test_target_with_a_query_that_is_too_long_to_look_at_shows_none_of_it() -> None:
    assert shown_target(b"/b/k?" + b"x=1&" * 1000) == "/b/k?..."


@pytest.mark.parametrize(
    "prose",
    [
        "GET /b/k?X-Amz-Signature=s3cret&x=1",
        "GET /b/k?X-Amz-Security-Token=s3cret",
        "https://h/b?AWSAccessKeyId=s3cret&Signature=s3cret",
        "Authorization: AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature=s3cret",
        "(b'authorization', b'AWS4-HMAC-SHA256 s3cret')",
        "(b'x-amz-server-side-encryption-customer-key', b's3cret')",
        "x-amz-copy-source-server-side-encryption-customer-key: s3cret",
        "Authorization: Bearer s3cret",
        "AWS AKANN:s3cret",
        "secret_key='s3cret'",
        "aws_secret_access_key = s3cret",
        "http://user:s3cret@host/path",
        "GET /?token=s3cret HTTP/1.1",
    ],
)
def test_redacted_prose_holds_no_secret_in_any_form(prose: str) -> None:
    # RustFS GHSA-r54g-49rx-98cr, Ceph CVE-2018-16889: secrets in logs.
    assert "s3cret" not in redacted(prose)


def test_hidden_secret_is_found_wherever_it_is_quoted() -> None:
    hide(["wonderland-secret", ""])
    try:
        assert redacted("could not parse 'xwonderland-secrety'") == "could not parse 'x...y'"
    finally:
        hide([])


def test_stamp_is_utc_to_the_millisecond() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp())
