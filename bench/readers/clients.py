"""Clients from outside: started together, made ready, set off together, and waited for."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import BenchError
from bench.readers.job import Job, Report, parse_report, render_job

_REPOSITORY: Final = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    process: subprocess.Popen[str]
    log: Path

    def says(self) -> str:
        """Its next line.

        Raises:
            BenchError: it ended instead.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return line
        code = self.process.wait()
        raise BenchError(f"a client ended with code {code}: {_last_lines(self.log)}")

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


@contextmanager
def ready_clients(jobs: Sequence[Job], scratch: Path) -> Iterator[Callable[[], list[Report]]]:
    """Start a client for each job, where this process may run; give what sets them off and waits for their reports.

    Each limits its own time. At the end of the context they are ended.

    Raises:
        BenchError: one did not get ready, or did not do its job; with the last lines that it wrote.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(_started(job, scratch / f"client-{at}.log")) for at, job in enumerate(jobs)]
        for client in clients:
            client.says()

        def go() -> list[Report]:
            for client in clients:
                client.go()
            return [parse_report(client.says()) for client in clients]

        yield go


@contextmanager
def _started(job: Job, log: Path) -> Iterator[_Client]:
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "bench.readers", render_job(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=_REPOSITORY,
            env=client_environment(os.environ),
        ) as process,
    ):
        try:
            yield _Client(process=process, log=log)
        finally:
            process.kill()


def client_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without proxies and without what tells AWS clients whom to ask as whom."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.lower().endswith("_proxy") and not name.startswith("AWS_")
    }
    missing = "/nonexistent"
    return {
        **kept,
        "AWS_CONFIG_FILE": missing,
        "AWS_SHARED_CREDENTIALS_FILE": missing,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "it wrote nothing"
