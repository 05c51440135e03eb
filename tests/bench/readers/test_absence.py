"""Readers that are not installed."""

import importlib.util

import pytest

from bench import BenchError
from bench.readers import READERS, absence, reader_absence, require


def test_absence_of_what_is_there_is_none() -> None:
    assert absence("json", "pathlib") is None


def test_absence_names_all_that_is_missing_and_how_to_get_it() -> None:
    reason = absence("json", "no_such_package", "nor_this_one")
    assert reason == "no_such_package and nor_this_one is not installed: pip install 's3proxy[bench]'"


@pytest.mark.parametrize("reader", READERS)
def test_reader_without_its_packages_is_absent(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "is not installed" in (reader_absence(reader) or "")


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_has_a_module(reader: str) -> None:
    assert importlib.util.find_spec(f"bench.readers.with_{reader}") is not None


def test_require_raises_only_where_there_is_a_reason() -> None:
    require(None)
    with pytest.raises(BenchError, match=r"^gone$"):
        require("gone")
