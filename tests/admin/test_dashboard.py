import hashlib
import re
from importlib.resources import files

import pytest

from s3proxy.admin import dashboard


def headers_of(path: str) -> dict[bytes, bytes]:
    answer = dashboard.answer(path)
    assert answer is not None
    assert answer.status == 200
    return dict(answer.headers)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", b"text/html; charset=utf-8"),
        ("/assets/app.js", b"text/javascript; charset=utf-8"),
        ("/assets/style.css", b"text/css; charset=utf-8"),
        ("/assets/icon.svg", b"image/svg+xml"),
        ("/assets/uplot/uPlot.iife.min.js", b"text/javascript; charset=utf-8"),
        ("/assets/uplot/LICENSE", b"text/plain; charset=utf-8"),
    ],
)
def test_file_of_the_page_is_answered_with_its_type(path: str, content_type: bytes) -> None:
    answer = dashboard.answer(path)
    assert answer is not None
    headers = dict(answer.headers)
    assert headers[b"content-type"] == content_type
    assert headers[b"content-length"] == b"%d" % len(answer.body)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/index.html",
        "/assets",
        "/assets/",
        "/assets/uplot",
        "/assets/../index.html",
        "/assets/../__init__.py",
        "/x",
    ],
)
def test_other_path_is_not_answered(path: str) -> None:
    assert dashboard.answer(path) is None


@pytest.mark.parametrize("path", ["/", "/assets/app.js"])
def test_policy_allows_the_page_its_own_files_only(path: str) -> None:
    policy = headers_of(path)[b"content-security-policy"]
    directives = dict(each.strip().split(b" ", 1) for each in policy.split(b";"))
    assert directives == {
        b"default-src": b"'none'",
        b"script-src": b"'self'",
        b"style-src": b"'self'",
        b"img-src": b"'self' data:",
        b"connect-src": b"'self'",
        b"base-uri": b"'none'",
        b"frame-ancestors": b"'none'",
        b"form-action": b"'none'",
        b"require-trusted-types-for": b"'script'",
        b"trusted-types": b"'none'",
    }


def test_address_with_a_token_is_told_to_nobody() -> None:
    assert headers_of("/")[b"referrer-policy"] == b"no-referrer"


@pytest.mark.parametrize("form", [b"%s", b'"other", %s', b"%s , W/"])
def test_file_that_the_client_has_is_not_sent_again(form: bytes) -> None:
    etag = headers_of("/")[b"etag"]
    answer = dashboard.answer("/", form % etag)
    assert answer is not None
    assert answer.status == 304
    assert answer.body == b""
    assert dict(answer.headers)[b"etag"] == etag


def test_file_of_which_the_client_has_another_version_is_sent() -> None:
    answer = dashboard.answer("/", b'"other"')
    assert answer is not None
    assert answer.status == 200


def test_page_names_no_outside_resource() -> None:
    folder = files(dashboard)
    ours = [folder / "index.html", *(each for each in (folder / "assets").iterdir() if each.is_file())]
    for file in ours:
        text = file.read_text().replace("http://www.w3.org/", "")  # names of XML, never fetched
        assert re.search(r"https?:|[\"'(]//", text) is None, file.name


def test_page_has_no_inline_script_or_style() -> None:
    page = (files(dashboard) / "index.html").read_text()
    assert re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)", page) is None


def test_licence_of_uplot_is_beside_it() -> None:
    assert "MIT" in (files(dashboard) / "assets/uplot/LICENSE").read_text()


def test_uplot_is_as_it_was_published() -> None:
    published = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"
    script = files(dashboard) / "assets/uplot/uPlot.iife.min.js"
    assert hashlib.sha256(script.read_bytes()).hexdigest() == published
