import json

import pytest
from rich.console import Console

from s3proxy.admin.messages import (
    Failed,
    Loaded,
    Message,
    ObjectPresence,
    Progress,
    Refused,
    Shown,
    TierUsage,
    TooSmall,
)
from s3proxy.commands import showing

DONE = Loaded(objects=1, bytes=2, fetched_bytes=2, failed=1)
WORK: list[Message] = [
    Progress(bytes=1, objects=0, total_bytes=2, total_objects=1, is_counted=True),
    TooSmall(size_bytes=1, total_bytes=2),
    Failed(name="s3://b/[bold]k\x1b", reason="gone"),
    DONE,
]


@pytest.mark.parametrize("quiet", [False, True])
def test_show_work_elsewhere_than_on_a_terminal_writes_lines(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    with showing.progress_view("load", quiet=quiet) as view:
        assert showing.show_work(WORK, view) == DONE
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.splitlines()[-1] == "failed: s3://b/[bold]k\\x1b: gone"
    assert "\x1b" not in errors


def test_show_work_for_long_writes_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr("time.monotonic", lambda: float(next(now)))
    with showing.progress_view("verify", quiet=False) as view:
        showing.show_work([Progress(bytes=each) for each in range(9)], view)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("verified 2 B, 0 blocks")


def test_show_work_on_a_terminal_keeps_failures_above_the_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "Console", lambda **_: Console(stderr=True, force_terminal=True, width=200))
    with showing.progress_view("load", quiet=False) as view:
        assert showing.show_work(WORK, view) == DONE
    out, errors = capsys.readouterr()
    assert out == ""
    assert "failed: s3://b/[bold]k\\x1b: gone" in errors
    assert "loaded 1 B of 2 B, 0 of 1 objects" in errors


def test_show_work_cut_off_has_no_result() -> None:
    with showing.progress_view("pin", quiet=False) as view:
        assert showing.show_work([Progress()], view) is None


def test_show_status_of_objects_writes_rows_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [ObjectPresence(key=key, size=1, present_bytes=1, cached={"memory": 1}) for key in "ab"]
    assert showing.show_status([*rows, Shown(objects=2, total_bytes=2, present_bytes=2)]) is not None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == ["key", "a", "b"]


def test_show_status_of_the_caches_writes_tables(capsys: pytest.CaptureFixture[str]) -> None:
    showing.show_status([TierUsage(tier="disk", directory="/d", size_bytes=1, used_bytes=1, blocks=1), Shown()])
    assert "disk" in capsys.readouterr().out


def test_show_status_cut_off_or_refused_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert showing.show_status([]) is None
    assert showing.show_status([Refused(reason="no")]) == Refused(reason="no")
    assert capsys.readouterr().out == ""


def test_show_json_writes_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert showing.show_json([ObjectPresence(key="\n", size=1, present_bytes=0), Shown()]) == Shown()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["object", "shown"]
