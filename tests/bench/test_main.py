"""The command line."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.results import ResultsFile
from bench.samples import Sample


def test_list_shows_every_case_and_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("get-4KiB", "range-8MiB", "put-1MiB", "list-uploaded", "memory", "nginx"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "got-*"], "no case is named got-*"),
        (["run", "--targets", "s3proxy,apache"], "no target is named apache"),
        (["run", "--server-cores", "4095"], "may not run on core 4095"),
        (["compare", "nowhere"], "cannot be read"),
        (["compare", "a", "b", "c"], "cannot be read"),
    ],
)
def test_command_that_makes_no_sense_says_why(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert reason in capsys.readouterr().err


def test_compare_of_one_run_shows_its_goals_and_of_two_their_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = Sample(workload="list", case="list", target="s3proxy", turn=0, metrics={"page_p50_ms": 12.0})
    ResultsFile(tmp_path).add(sample)
    assert main(["compare", str(tmp_path)]) == 0
    assert "page of 100,000 keys, median ms" in capsys.readouterr().out
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 0
    assert "12.00" in capsys.readouterr().out


def _run_of(directory: Path, rate: float) -> str:
    sample = Sample(workload="get", case="get-4KiB", target="s3proxy", turn=0, metrics={"requests_per_second": rate})
    ResultsFile(directory).add(sample)
    return str(directory)


@pytest.mark.parametrize(("rate", "options", "code"), [(95, ["0.9"], 0), (80, ["0.9"], 1), (80, [], 0)])
def test_compare_of_two_runs_fails_when_asked_to_and_only_beyond_what_was_allowed(
    tmp_path: Path, rate: float, options: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = _run_of(tmp_path / "old", 100), _run_of(tmp_path / "new", rate)
    allowed = ["--fail-below", *options] if options else []
    assert main(["compare", old, new, *allowed]) == code
    assert ("REGRESSION: get-4KiB s3proxy" in capsys.readouterr().out) is bool(code)


def test_plot_of_a_run_draws_into_the_directory_that_was_named(tmp_path: Path) -> None:
    run = _run_of(tmp_path / "run", 100)
    assert main(["plot", run, "--out", str(tmp_path / "pictures")]) == 0
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"get-throughput.svg", "get-throughput.png"}
