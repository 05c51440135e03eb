"""The files that every target serves, made once a run.

Where a target speaks S3 it writes the objects itself, so that they carry what it stores beside the bytes; else they are
plain files. Either way ``<root>/<bucket>/<key>`` is the file that nginx serves. A target that keeps its objects itself
has a dataset ``apart``, which it is sent over S3.
"""

from collections.abc import Sequence
from pathlib import Path

from bench import BenchError
from bench.client import Client, connected, expect
from bench.content import GIB, KIB, MIB, Thing, pieces, size_name, things
from bench.load import Load
from bench.requests import BUCKET, Endpoint, render_put

COUNTS = {4 * KIB: 256, 64 * KIB: 256, MIB: 64, 16 * MIB: 16, 64 * MIB: 4, 256 * MIB: 2, GIB: 1}
"""Size -> how many objects: enough to leave the processor's caches, little enough to stay in the page cache."""

_UPLOADERS = 16
_LIMIT_SECONDS = 3600


class Dataset:
    """Objects below one root, made when they are first asked for."""

    def __init__(self, root: Path, sources: Path, *, is_shared: bool = True) -> None:
        self.root = root
        self._sources = sources
        self._is_shared = is_shared
        self._made: set[int] = set()
        self._filled: set[str] = set()
        self._apart: dict[str, Dataset] = {}

    def apart(self, name: str, *, lasts: bool) -> "Dataset":
        """The objects of a server that keeps them itself, in a directory of its own.

        Args:
            name: the server's.
            lasts: whether they are there again when it is started again; else they are to be made anew.
        """
        if not lasts or name not in self._apart:
            root = self._sources.parent / "own" / name
            root.mkdir(parents=True, exist_ok=True)
            self._apart[name] = Dataset(root, self._sources, is_shared=False)
        return self._apart[name]

    def make_bucket(self, bucket: str, endpoint: Endpoint | None) -> Path:
        """Have a bucket, made through the server if there is one, and give its directory."""
        if endpoint is None:
            (self.root / bucket).mkdir(parents=True, exist_ok=True)
        else:
            with connected(endpoint) as client:
                expect(client.put(f"/{bucket}"), 200, 409)  # 409: the bucket is there
        directory = self.root / bucket
        if self._is_shared and not directory.is_dir():
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
            if self._is_shared and (directory / each.key).stat().st_size != size:
                raise BenchError(f"{each.key} is not a file of {size} bytes below the root")
        self._made.add(size)

    def make_empty(self, bucket: str, keys: Sequence[str], endpoint: Endpoint | None) -> None:
        """Have a bucket with an empty object at each of the keys: files that no server made, where files are shared."""
        if bucket in self._filled:
            return
        directory = self.make_bucket(bucket, endpoint)
        if self._is_shared:
            for key in keys:
                (directory / key).touch()
        else:
            assert endpoint is not None
            _upload_empty(endpoint, bucket, keys)
        self._filled.add(bucket)

    def make_keyed(self, bucket: str, keys: Sequence[str], endpoint: Endpoint) -> None:
        """Have a bucket with an object uploaded to each of the keys, which holds its key, over one connection."""
        if bucket in self._filled:
            return
        self.make_bucket(bucket, endpoint)
        with connected(endpoint) as client:
            for key in keys:
                expect(client.put(f"/{bucket}/{key}", key.encode(), len(key)), 200)
        self._filled.add(bucket)

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


def _upload_empty(endpoint: Endpoint, bucket: str, keys: Sequence[str]) -> None:
    requests = (render_put(endpoint, key, b"", bucket=bucket) for key in keys)
    with Load(endpoint, [requests] * _UPLOADERS) as load:
        tally = load.run(_LIMIT_SECONDS)
    if len(tally.latencies) < len(keys):
        raise BenchError(f"{len(keys) - len(tally.latencies)} of {len(keys)} uploads did not end")
