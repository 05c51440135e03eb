"""The files that every target serves, made once a run.

Where a target speaks S3 it writes the objects itself, so that they carry what it stores beside the bytes; else they are
plain files. Either way ``<root>/<bucket>/<key>`` is the file that nginx serves.
"""

from collections.abc import Sequence
from pathlib import Path

from bench import BenchError
from bench.client import Client, connected, expect
from bench.content import KIB, MIB, Thing, pieces, size_name, things
from bench.requests import BUCKET, Endpoint

COUNTS = {4 * KIB: 256, 64 * KIB: 256, MIB: 64, 64 * MIB: 4, 256 * MIB: 2}
"""Size -> how many objects: enough to leave the processor's caches, little enough to stay in the page cache."""


class Dataset:
    """Objects below one root, made when they are first asked for."""

    def __init__(self, root: Path, sources: Path) -> None:
        self.root = root
        self._sources = sources
        self._made: set[int] = set()

    def make_bucket(self, bucket: str, endpoint: Endpoint | None) -> Path:
        """Have a bucket, made through the server if there is one, and give its directory."""
        if endpoint is None:
            (self.root / bucket).mkdir(parents=True, exist_ok=True)
        else:
            with connected(endpoint) as client:
                expect(client.put(f"/{bucket}"), 200, 409)  # 409: the bucket is there
        directory = self.root / bucket
        if not directory.is_dir():
            raise BenchError(f"the bucket {bucket} is not a directory below the root")
        return directory

    def make_objects(self, size: int, endpoint: Endpoint | None) -> None:
        """Have ``objects_of(size)`` stored."""
        if size in self._made:
            return
        directory = self.make_bucket(BUCKET, endpoint)
        if endpoint is None:
            for each in objects_of(size):
                write_file(directory / each.key, each)
        else:
            with connected(endpoint) as client:
                _upload(client, objects_of(size))
        for each in objects_of(size):
            if (directory / each.key).stat().st_size != size:
                raise BenchError(f"{each.key} is not a file of {size} bytes below the root")
        self._made.add(size)

    def source(self, thing: Thing) -> Path:
        """A file outside the root that holds what ``thing`` holds, to be uploaded."""
        path = self.source_path(thing.key)
        if not path.exists():
            write_file(path, thing)
        return path

    def source_path(self, key: str) -> Path:
        """Where the source of that key is or is to be, for one that is no function of its offset throughout."""
        path = self._sources / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def objects_of(size: int) -> list[Thing]:
    """The objects of one size that GET and range GET read."""
    return things(f"get/{size_name(size)}", size, COUNTS[size])


def write_file(path: Path, thing: Thing) -> None:
    """Write a whole object as a plain file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in pieces(thing):
            file.write(piece)


def _upload(client: Client, objects: Sequence[Thing]) -> None:
    for each in objects:
        expect(client.put(f"/{BUCKET}/{each.key}", pieces(each), each.size), 200)
