"""One object as a file."""

from pathlib import Path

from bench.readers.downloads import downloading
from bench.readers.job import Job, agree


def test_download_is_of_the_only_object_into_the_scratch_directory(tmp_path: Path) -> None:
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    source.mkdir()
    scratch.mkdir()
    (source / "0").write_bytes(b"abc")
    asked: list[tuple[str, str]] = []

    def download(key: str, path: str) -> None:
        asked.append((key, path))
        Path(path).write_bytes(b"abc")

    job = Job(
        reader="",
        task="download",
        prefix="download",
        directory=str(source),
        scratch=str(scratch),
        endpoint="",
        access_key="",
        secret_key="",
        region="",
    )
    task = downloading(job, download)
    assert agree(task.read(), task.expected())
    assert asked == [("download/0", str(scratch / "0"))]
