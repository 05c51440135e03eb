import os
import subprocess
import sys

from s3proxy.metrics.processes import birth_of, use_of


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_process_that_runs_has_a_birth_that_stays() -> None:
    assert birth_of(os.getpid()) == birth_of(os.getpid()) != 0


def test_process_that_ended_has_no_birth_and_uses_nothing() -> None:
    pid = ended_pid()
    assert birth_of(pid) is None
    assert use_of(pid) is None


def test_use_of_a_process_is_what_the_kernel_says() -> None:
    use = use_of(os.getpid())
    assert use is not None
    assert 0 < use.cpu_seconds < 10_000
    assert 1_000_000 < use.rss_bytes < 10_000_000_000
    assert abs(use.descriptors - len(os.listdir("/proc/self/fd"))) <= 1
