"""One object as a file."""

from pathlib import Path

from bench.readers.downloads import downloading
from bench.readers.job import agree
from tests.bench.readers.jobs import job_of


def test_download_is_of_the_only_object_into_the_scratch_directory(tmp_path: Path) -> None:
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    source.mkdir()
    scratch.mkdir()
    (source / "0").write_bytes(b"abc")
    asked: list[tuple[str, str]] = []

    def download(key: str, path: str) -> None:
        asked.append((key, path))
        Path(path).write_bytes(b"abc")

    job = job_of("download", prefix="download", directory=source, scratch=scratch)
    task = downloading(job, download)
    assert agree(task.read(), task.expected())
    assert asked == [("download/0", str(scratch / "0"))]
