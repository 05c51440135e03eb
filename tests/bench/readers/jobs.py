"""Jobs of which only what a test is about is said."""

from pathlib import Path

from bench.readers.job import Job


def job_of(task: str = "", *, reader: str = "", part: int = 0, prefix: str = "", directory: Path | str = "",
           scratch: Path | str = "") -> Job:  # fmt: skip
    """A job over files; its server is nowhere."""
    return Job(
        reader=reader,
        task=task,
        part=part,
        prefix=prefix,
        directory=str(directory),
        scratch=str(scratch),
        endpoint="127.0.0.1:1",
        access_key="A",
        secret_key="s",
        region="us-east-1",
    )
