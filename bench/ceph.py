"""A Ceph RGW as the under-store, started and stopped by a program that the environment variable CEPH_RGW names.

``$CEPH_RGW start DIR PORT`` prints RGW_ENDPOINT, RGW_ACCESS_KEY and RGW_SECRET_KEY as shell assignments and leaves the
cluster running, the gateway's process id in ``DIR/rgw.pid``; ``$CEPH_RGW stop DIR`` ends it and removes DIR.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import BenchError
from bench.requests import Endpoint
from bench.signing import Credentials
from bench.targets import Server, Target, free_port

_START_SECONDS = 300


def ceph_absence() -> str | None:
    """Why there is none here, or None."""
    program = os.environ.get("CEPH_RGW")
    if not program:
        return "CEPH_RGW names no program that starts one"
    if not os.access(program, os.X_OK):
        return f"CEPH_RGW={program} cannot be run"
    return None if shutil.which("radosgw") else "radosgw is not installed"


@contextmanager
def ceph_started(scratch: Path) -> Iterator[Server]:
    """Start a cluster, and stop it at the end. Raises BenchError when it does not come up."""
    program, directory, port = os.environ["CEPH_RGW"], scratch / "ceph", free_port()
    started = subprocess.run(
        [program, "start", str(directory), str(port)],
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )
    try:
        if started.returncode != 0:
            raise BenchError(f"Ceph did not start: {started.stderr.strip()}")
        said = dict(line.split("=", 1) for line in started.stdout.splitlines() if "=" in line)
        credentials = Credentials(access_key=said["RGW_ACCESS_KEY"], secret_key=said["RGW_SECRET_KEY"])
        yield Server(
            target=Target(name="ceph", summary="Ceph RGW", absence=ceph_absence, command=None),
            endpoint=Endpoint(host="127.0.0.1", port=port, credentials=credentials),
            pid=int((directory / "rgw.pid").read_text()),
        )
    finally:
        subprocess.run([program, "stop", str(directory)], capture_output=True, check=False)
