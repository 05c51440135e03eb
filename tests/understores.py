"""Stores that speak S3, started as processes for tests: moto, and a real Ceph where there is one.

``moto`` and ``ceph`` are fixtures of the session: a module that wants them imports them. Ceph takes half a minute to
start, so it is not looked for: the environment variable CEPH_RGW names a program that is called

    CEPH_RGW start DIRECTORY PORT    starts a cluster; prints RGW_ENDPOINT=, RGW_ACCESS_KEY=, RGW_SECRET_KEY=
    CEPH_RGW stop DIRECTORY          stops it and removes the directory

or a program of the name ``ceph-rgw`` is on the PATH; otherwise what needs it is skipped.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config

Client: TypeAlias = Any
"""A boto3 client: boto3 carries no types."""

_STARTED = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
NO_CEPH = "no Ceph: neither CEPH_RGW nor a program ceph-rgw on the PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderStore:
    """A running S3 endpoint and whose it is."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    reset_path: str | None = None
    """What to POST to, to begin anew, where the store has such a thing."""

    def client(self) -> Client:
        """A boto3 client, for what a test does behind the back of the code under test."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 3, "mode": "standard"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def clear(self) -> None:
        """Remove every bucket and all that is in it."""
        if self.reset_path is not None:
            urlopen(Request(self.endpoint + self.reset_path, method="POST")).close()  # noqa: S310 (a loopback server)
            return
        client = self.client()
        for bucket in client.list_buckets()["Buckets"]:
            name = bucket["Name"]
            for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", ()):
                client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
                for listed in page.get("Contents", ()):
                    client.delete_object(Bucket=name, Key=listed["Key"])
            client.delete_bucket(Bucket=name)
        client.close()


@contextmanager
def running_moto() -> Iterator[UnderStore]:
    """A moto server on a port that the kernel chose."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    environment = {**os.environ, "MOTO_ACCOUNT_ID": "123456789012", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        endpoint = _endpoint_in(process.stderr)
        with _drained(process.stderr):
            yield UnderStore(
                endpoint=endpoint, access_key="moto", secret_key="moto-secret", reset_path="/moto-api/reset"
            )
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def _endpoint_in(output: IO[str]) -> str:
    seen = []
    for line in output:
        if (match := _STARTED.search(line)) is not None:
            return match[1]
        seen.append(line)
    raise RuntimeError("moto did not start: " + "".join(seen))


@contextmanager
def _drained(output: IO[str]) -> Iterator[None]:
    """Hand what a process writes from here on to one that throws it away, so that the pipe never fills."""
    with subprocess.Popen(["cat"], stdin=output, stdout=subprocess.DEVNULL) as sink:
        yield
        sink.terminate()


def ceph_program() -> str | None:
    """The program that starts a Ceph here, or None."""
    return os.environ.get("CEPH_RGW") or shutil.which("ceph-rgw")


@contextmanager
def running_ceph(program: str) -> Iterator[UnderStore]:
    """A Ceph with an S3 gateway; takes half a minute."""
    parent = Path(tempfile.mkdtemp(prefix="ceph-"))
    directory = parent / "cluster"
    try:
        started = subprocess.run(
            [program, "start", directory, str(_free_port())], check=True, stdout=subprocess.PIPE, text=True, timeout=300
        )
        said = dict(line.split("=", 1) for line in started.stdout.splitlines() if "=" in line)
        yield UnderStore(
            endpoint=said["RGW_ENDPOINT"], access_key=said["RGW_ACCESS_KEY"], secret_key=said["RGW_SECRET_KEY"]
        )
    finally:
        subprocess.run([program, "stop", directory], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", parent], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def moto() -> Iterator[UnderStore]:
    with running_moto() as store:
        yield store


@pytest.fixture(scope="session")
def ceph() -> Iterator[UnderStore]:
    program = ceph_program()
    if program is None:
        pytest.skip(NO_CEPH)
    with running_ceph(program) as store:
        yield store
