"""Clients as processes: what they inherit, and what one that fails leaves."""

from pathlib import Path

import pytest

from bench import BenchError
from bench.readers.clients import client_environment, ready_clients
from tests.bench.readers.jobs import job_of


def test_client_environment_has_no_proxy_and_no_setting_of_aws() -> None:
    given = {
        "PATH": "/bin",
        "http_proxy": "http://p",
        "HTTPS_PROXY": "http://p",
        "no_proxy": "*",
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_PROFILE": "prod",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "AWS_CONFIG_FILE": "/home/jane/.aws/config",
    }
    assert client_environment(given) == {
        "PATH": "/bin",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_client_that_does_not_get_ready_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    job = job_of(reader="nobody")
    with pytest.raises(BenchError, match=r"ended with code 1: .*with_nobody"), ready_clients([job], tmp_path):
        pass
