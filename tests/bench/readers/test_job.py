"""What a client is told and tells, and when two answers are the same."""

from datetime import date
from pathlib import Path

import pytest

from bench.readers.job import (
    Job,
    Report,
    agree,
    login,
    parse_job,
    parse_report,
    render_job,
    render_report,
)
from bench.requests import Endpoint
from bench.signing import Credentials

_JOB = Job(
    reader="pyarrow",
    task="q1",
    part=3,
    prefix="tpch",
    directory="/files/with a space",
    scratch="/sçratch",
    endpoint="127.0.0.1:9000",
    access_key="A",
    secret_key='quoted "secret"',
    region="us-east-1",
)


def test_job_is_one_line_and_parses_to_itself() -> None:
    assert "\n" not in render_job(_JOB)
    assert parse_job(render_job(_JOB)) == _JOB


def test_job_says_the_url_and_the_directory_of_the_files() -> None:
    assert (_JOB.url, _JOB.source) == ("http://127.0.0.1:9000", Path("/files/with a space"))


def test_report_is_one_line_and_parses_to_itself() -> None:
    report = Report(begin=0.1 + 0.2, end=12345.678901234567, cpu_seconds=1e-9)
    assert "\n" not in render_report(report)
    assert parse_report(f"{render_report(report)}\n") == report


def test_login_where_nobody_checks_is_by_the_name_of_the_user() -> None:
    assert login(Endpoint(host="h", port=1), "jane") == {
        "endpoint": "h:1",
        "access_key": "jane",
        "secret_key": "unchecked",
        "region": "us-east-1",
    }


def test_login_of_an_endpoint_with_keys_and_a_base_has_both() -> None:
    keys = Credentials(access_key="A", secret_key="s", region="eu-west-1")
    assert login(Endpoint(host="h", port=1, credentials=keys, base="/s3"), "jane") == {
        "endpoint": "h:1/s3",
        "access_key": "A",
        "secret_key": "s",
        "region": "eu-west-1",
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1, 1),
        (None, None),
        (date(1995, 3, 15), date(1995, 3, 15)),
        (1e6 + 1e-5, 1e6),  # the order of a sum
        ([["A", "F", 0.1 + 0.2], ["N", "O", 2.0]], [("A", "F", 0.3), ("N", "O", 2.0)]),
        ([], []),
    ],
)
def test_answers_that_differ_by_rounding_or_the_kind_of_sequence_agree(found: object, expected: object) -> None:
    assert agree(found, expected)
    assert agree(expected, found)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1, 2),
        (None, 1.0),
        (1.000001, 1.0),
        (float("nan"), float("nan")),
        (date(1995, 3, 15), date(1995, 3, 16)),
        ([1.0, 2.0], [1.0]),
        ([], [1.0]),
        ([["A", 1.0]], [["B", 1.0]]),
        ([2.0, 1.0], [1.0, 2.0]),
    ],
)
def test_answers_that_differ_by_more_or_in_length_or_order_do_not_agree(found: object, expected: object) -> None:
    assert not agree(found, expected)
    assert not agree(expected, found)


def test_files_agree_when_they_hold_the_same(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"abc")
    same.write_bytes(b"abc")
    other.write_bytes(b"abd")
    assert agree(one, same)
    assert not agree(one, other)
