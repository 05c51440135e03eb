"""What a run leaves, also one that was interrupted."""

from pathlib import Path

import pytest

from bench import BenchError
from bench.results import RESULTS, Results, ResultsFile, read_results
from bench.samples import Failure, Sample


def _sample(turn: int) -> Sample:
    return Sample(workload="get", case="get-4KiB", target="s3proxy", turn=turn, metrics={"p50_ms": 0.5})


_FAILURE = Failure(case="put-4KiB", target="s3proxy", turn=1, reason="a wrong response")


def test_results_that_were_written_are_read_back(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "new")
    file.add(_sample(0))
    file.add(_FAILURE)
    assert read_results(tmp_path / "new") == Results(machine=None, samples=[_sample(0)], failures=[_FAILURE])


@pytest.mark.parametrize("text", ["not json\n", "[]\n", "{}\n", '{"kind": "sample", "case": "a"}\n', '{"kind": "x"}\n'])
def test_read_results_of_something_else_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / RESULTS).write_text(text)
    with pytest.raises(BenchError, match=r"results\.jsonl cannot be read"):
        read_results(tmp_path)


def test_read_results_of_a_run_that_was_killed_while_it_wrote_gives_all_whole_lines(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path)
    file.add(_sample(0))
    with file.path.open("a") as torn:
        torn.write('{"kind": "sample", "workl')
    assert read_results(tmp_path).samples == [_sample(0)]


def test_results_file_that_keeps_earlier_ones_keeps_figures_and_takes_failed_turns_again(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path)
    file.add(_sample(0))
    file.add(_FAILURE)
    earlier = read_results(tmp_path)
    assert earlier.turns() == {("get-4KiB", "s3proxy", 0)}
    ResultsFile(tmp_path, keep=earlier).add(_sample(1))
    assert read_results(tmp_path) == Results(machine=None, samples=[_sample(0), _sample(1)], failures=[])
