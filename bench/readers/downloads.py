"""One object as a file."""

from collections.abc import Callable
from pathlib import Path

from bench.readers.job import Answer, Job, Task


def downloading(job: Job, download: Callable[[str, str], object]) -> Task:
    """The only object below the prefix as a file, by what is given its key and the path."""
    source = next(job.source.iterdir())

    def read() -> Answer:
        path = Path(job.scratch) / source.name
        download(f"{job.prefix}/{source.name}", str(path))
        return path

    return Task(read=read, expected=lambda: source)
