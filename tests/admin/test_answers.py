import json

import pytest

from s3proxy.admin.answers import RefusedError, Request, of_bytes, of_json, of_text, refusal


def test_answer_in_json_is_short_and_ascii() -> None:
    answer = of_json({"key": "é", "size": 1})
    assert answer.body == b'{"key":"\\u00e9","size":1}'
    assert (b"content-type", b"application/json") in answer.headers


def test_answer_in_text_is_a_line() -> None:
    answer = of_text("draining", 503)
    assert (answer.status, answer.body) == (503, b"draining\n")


def test_answer_may_not_be_kept_nor_read_by_other_sites() -> None:
    headers = dict(of_bytes(b"", b"text/plain").headers)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert not any(name.startswith(b"access-control-") for name in headers)


def test_refusal_says_why_and_how_to_be_let_in() -> None:
    answer = refusal(RefusedError(401, "a token"))
    assert json.loads(answer.body)["reason"] == "a token"
    assert (answer.status, dict(answer.headers)[b"www-authenticate"]) == (401, b"Bearer")
    assert b"www-authenticate" not in dict(refusal(RefusedError(403, "no")).headers)


def test_parameter_that_is_needed_must_not_be_empty() -> None:
    request = Request(method="GET", path="/blocks", query={"bucket": "b", "key": ""})
    assert request.needed("bucket") == "b"
    with pytest.raises(RefusedError, match="key"):
        request.needed("key")
