import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.config import AdminConfig, Config, LogConfig, NamedStoreConfig, StoreConfig, UserConfig
from s3proxy.node.failures import StartError
from s3proxy.node.logs import opened, speak
from s3proxy.telemetry import log_error, recent_errors, set_manner

SECRETS = ["admin-token-0123456789", "secret-of-ann", "secret-of-store", "secret-of-other"]


@pytest.fixture(autouse=True)
def manner() -> Iterator[None]:
    handlers, hook = list(logging.getLogger().handlers), sys.excepthook
    yield
    set_manner("console")
    logging.captureWarnings(False)
    logging.getLogger().handlers, sys.excepthook = handlers, hook
    recent_errors.clear()


def test_no_event_holds_a_secret_of_the_configuration(capfd: pytest.CaptureFixture[str]) -> None:
    # RustFS GHSA-r54g-49rx-98cr: secrets in logs.
    token, user, store, other = SECRETS
    speak(
        Config(
            admin=AdminConfig(token=token),
            users=(UserConfig(name="ann", access_key="AKANN", secret_key=user),),
            store=StoreConfig(kind="s3", access_key="AK", secret_key=store),
            stores=(NamedStoreConfig(name="other", kind="s3", access_key="AK", secret_key=other),),
            log=LogConfig(format="json"),
        ),
        worker=1,
    )
    log_error(f"quoting {' '.join(SECRETS)}", ValueError(SECRETS[1]), key=SECRETS[2])
    said = capfd.readouterr().err
    assert '"worker":1' in said
    assert not any(secret in said for secret in SECRETS)


def test_log_that_is_off_is_none() -> None:
    with opened("log.audit", "off") as file:
        assert file is None


def test_log_that_cannot_be_opened_says_which(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r'log\.audit = ".*/absent/log": No such file'):
        opened("log.audit", str(tmp_path / "absent" / "log")).__enter__()
