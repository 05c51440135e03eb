"""The AWS command line's ``s3 cp``, called in this process, so that its imports are not timed."""

import importlib
import os

from awscli.clidriver import create_clidriver

from bench import BenchError
from bench.readers.downloads import downloading
from bench.readers.job import Job, Task

_LATER = ("awscli.customizations.s3.subcommands", "s3transfer.manager")
"""What it would import when it runs the command."""


def task(job: Job) -> Task:
    """``download`` of the only object below the prefix."""
    for module in _LATER:
        importlib.import_module(module)
    os.environ.update(
        AWS_ACCESS_KEY_ID=job.access_key, AWS_SECRET_ACCESS_KEY=job.secret_key, AWS_DEFAULT_REGION=job.region
    )
    driver = create_clidriver()

    def download(key: str, path: str) -> None:
        command = ["s3", "cp", f"s3://{job.bucket}/{key}", path, "--endpoint-url", job.url, "--only-show-errors"]
        if code := driver.main(command):
            raise BenchError(f"aws s3 cp ended with code {code}")

    return downloading(job, download)
