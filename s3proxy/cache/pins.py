"""What is never evicted: prefixes of keys, in a file of the tier's directory."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.tier_directory import PINS, TEMPORARIES


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Pin:
    """The keys of a bucket that start with ``prefix``; every key starts with an empty one.

    The bucket is one of ``store``, which is called as in ``ObjectVersion``: a bucket of the same name that another
    store has, or that this tier was used for before, is not meant.
    """

    store: str
    bucket: str
    prefix: str

    def covers(self, version: ObjectVersion) -> bool:
        """Whether blocks of this version are pinned by it."""
        is_in_bucket = (version.store, version.bucket) == (self.store, self.bucket)
        return is_in_bucket and version.key.startswith(self.prefix)


class Pins:
    """The pins of the tier below ``directory``, the same for all workers and after a restart."""

    def __init__(self, directory: Path) -> None:
        self._directory: Final = directory
        self._path: Final = directory / PINS

    def all(self) -> list[Pin]:
        """The pins in order; none when the file is damaged, for then it says nothing."""
        try:
            found = json.loads(self._path.read_bytes())
            return [Pin(store=str(store), bucket=str(bucket), prefix=str(prefix)) for store, bucket, prefix in found]
        except (OSError, ValueError, TypeError):
            return []

    def add(self, pin: Pin) -> bool:
        """Pin. False when it was so before.

        Raises:
            CacheIOError: the file cannot be written.
        """
        with self._changing():
            pins = self.all()
            if pin in pins:
                return False
            self._write([*pins, pin])
            return True

    def remove(self, pin: Pin) -> bool:
        """Take back exactly this pin. False when there is none.

        Raises:
            CacheIOError: the file cannot be written.
        """
        with self._changing():
            pins = self.all()
            if pin not in pins:
                return False
            self._write([each for each in pins if each != pin])
            return True

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One at a time on the node."""
        try:
            fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                yield
            finally:
                os.close(fd)
        except OSError as error:
            raise CacheIOError(f"{self._path}: {error}") from error

    def _write(self, pins: list[Pin]) -> None:
        temporary = self._directory / TEMPORARIES / f"pins.{secrets.token_hex(8)}"
        with temporary.open("w") as file:
            json.dump([[pin.store, pin.bucket, pin.prefix] for pin in sorted(pins)], file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)
