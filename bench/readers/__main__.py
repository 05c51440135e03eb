"""One client as a process: ``python -m bench.readers JOB``.

It says ``ready``, waits for a line, does its work, and says when it began and ended. It ends with 1 and a reason when
that was not the work that it should have done, and is ended by the kernel when it takes too long.
"""

import importlib
import signal
import sys
import time

from bench.readers.job import Report, Task, agree, parse_job, render_report

_LIMIT_SECONDS = 300


def main() -> int:
    """Do the job that the arguments tell of.

    Returns:
        0, or 1 when the answer over S3 is not the one over files.
    """
    signal.alarm(_LIMIT_SECONDS)
    job = parse_job(sys.argv[1])
    task: Task = importlib.import_module(f"bench.readers.with_{job.reader}").task(job)
    expected = task.expected()
    _say("ready")
    sys.stdin.readline()
    cpu, begin = time.process_time(), time.perf_counter()
    found = task.read()
    report = Report(begin=begin, end=time.perf_counter(), cpu_seconds=time.process_time() - cpu)
    if not agree(found, expected):
        sys.stderr.write(f"{job.reader} {job.task}: found {found!s:.300} instead of {expected!s:.300}\n")
        return 1
    _say(render_report(report))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
