"""``python -m bench replay``."""

import argparse
from pathlib import Path

import pytest

from bench import BenchError
from bench.content import MIB
from bench.replay.command import add_replay_options, replay
from bench.replay.trace import Read, write_trace


def called(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_replay_options(parser)
    return replay(parser.parse_args(arguments))


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.gz"
    write_trace(
        path,
        [
            Read(at=1e9 + 10 * turn, bucket="b", key=str(turn % 3), etag="e", size=MIB, start=0, stop=MIB)
            for turn in range(12)
        ],
    )
    return str(path)


def test_replay_shows_each_size_and_policy(trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert called(trace, "--sizes", "2500KB,4MiB", "--policies", "lru,min", "--out", str(out)) == 0
    shown = capsys.readouterr().out
    assert "12 reads of 3 objects, 12 accesses to blocks" in shown
    assert "0.0%" in shown  # LRU, a loop that is too long
    assert "75.0%" in shown
    assert (out / "replay.jsonl").exists()


def test_made_up_trace_is_made_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.gz"
    assert called("--make", "scan", str(path), "--sizes", "1GiB", "--policies", "lru") == 0
    assert "3,072 reads" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--policies", "lru,mru"], "no policy is named mru"),
        (["--block-size", "100KiB"], "no multiple of unit_size"),
        (["another", "--make", "scan"], "one trace is made at a time"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], reason: str, trace: str) -> None:
    with pytest.raises(BenchError, match=reason):
        called(trace, *arguments)
