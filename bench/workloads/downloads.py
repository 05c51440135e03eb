"""256 MiB into a file: boto3's ``download_file`` and ``aws s3 cp``, which fetch parts over several connections."""

from bench.cases import Case, Session
from bench.content import MIB, things
from bench.readers.cases import Work, cases_of

_PREFIX = "download"
_OBJECT = things(_PREFIX, 256 * MIB, 1)[0]
_READERS = ("boto3", "awscli")


def cases() -> list[Case]:
    """One set of cases for each client."""
    return [case for reader in _READERS for case in cases_of(_work(reader))]


def _work(reader: str) -> Work:
    return Work(
        workload="download",
        name=f"download-{reader}",
        reader=reader,
        task="download",
        prefix=_PREFIX,
        names=[_OBJECT.key.removeprefix(f"{_PREFIX}/")],
        make=_make,
    )


def _make(session: Session) -> None:
    session.dataset.source(_OBJECT)
