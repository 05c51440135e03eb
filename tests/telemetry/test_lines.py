import io
import json
import os
import threading
from pathlib import Path

import pytest

from s3proxy.telemetry.lines import MOST_WAITING_BYTES, Lines, LogFile


class Refusing(io.StringIO):
    """An output that takes nothing while ``is_full``."""

    is_full = True

    def write(self, text: str, /) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_lines_beyond_the_bound_are_dropped_and_counted_in_the_log() -> None:
    output = io.StringIO()
    lines = Lines(output, "access")
    for _ in range(20):
        lines.put("x" * (MOST_WAITING_BYTES // 16 - 1) + "\n")
    assert lines.write(lines.take())
    first, *rest = output.getvalue().splitlines()
    assert (json.loads(first)["log"], json.loads(first)["dropped"]) == ("access", 4)
    assert len(rest) == 16


def test_output_that_refuses_is_mentioned_once_until_it_takes_again(capfd: pytest.CaptureFixture[str]) -> None:
    output = Refusing()
    lines = Lines(output, "audit")
    assert not lines.write(["a\n"])
    assert not lines.write(["b\n"])
    assert capfd.readouterr().err.count("the audit log cannot be written") == 1
    output.is_full = False
    assert lines.write(["c\n"])
    assert output.getvalue() == "c\n"


def test_log_file_is_appended_to_and_nobody_else_s(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for text in ("a\n", "b\n"):
        file = LogFile(str(path))
        file.write(text)
        file.close()
    assert path.read_text() == "a\nb\n"
    assert path.stat().st_mode & 0o007 == 0


def test_log_file_that_is_emptied_by_logrotate_goes_on_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"  # copytruncate
    file = LogFile(str(path))
    file.write("before\n")
    os.truncate(path, 0)
    file.write("after\n")
    file.close()
    assert path.read_bytes() == b"after\n"


def test_lines_of_two_writers_to_a_pipe_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    files = [LogFile(str(path)), LogFile(str(path))]

    def write(file: LogFile, letter: str) -> None:
        file.write("".join(letter * (100 + 37 * n % 3000) + "\n" for n in range(300)))
        file.close()

    writers = [threading.Thread(target=write, args=each) for each in zip(files, "ab", strict=True)]
    for each in writers:
        each.start()
    with os.fdopen(reading, "rb") as stream:
        lines = stream.read().splitlines()
    for each in writers:
        each.join()
    assert len(lines) == 600
    assert all(len(set(line)) == 1 for line in lines)


def test_line_that_a_full_disk_cut_short_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    file = LogFile(str(path))
    write = os.write
    room = [3]

    def short(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = write(descriptor, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="No space"):
        file.write('{"a":1}\n')
    room[0] = 1000
    file.write('{"b":2}\n')
    file.close()
    assert path.read_text() == '{"a\n{"b":2}\n'
