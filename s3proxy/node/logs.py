"""Where the logs of a node go, and how its processes speak."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3proxy.config import Config
from s3proxy.node.failures import StartError
from s3proxy.telemetry import LogFile, set_manner


def speak(config: Config, **labels: object) -> None:
    """Have this process speak as configured, and never of a secret that the configuration holds.

    Args:
        config: of the node.
        labels: fields of every event.
    """
    stores = (config.store, *config.stores)
    secrets = [
        config.admin.token,
        *(user.secret_key for user in config.users),
        *(store.secret_key for store in stores),
    ]
    set_manner(config.log.format, secrets=secrets, **labels)


@contextmanager
def opened(key: str, where: str) -> Iterator[LogFile | None]:
    """The log that ``key`` sends to ``where``, open; None when it is off.

    Raises:
        StartError: it cannot be opened.
    """
    if where == "off":
        yield None
        return
    try:
        file = LogFile(where)
    except OSError as error:
        raise StartError(f'{key} = "{where}": {error.strerror}') from error
    try:
        yield file
    finally:
        file.close()
