"""Clients that write and read the same objects, and know what a fresh answer is.

The content of an object is a function of its key and version, and each key has one writer, so that whoever reads knows
which versions may be there: none older than the last one that was acknowledged before the read began, none newer than
the last one that was begun before it ended.
"""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "cluster"
Client: TypeAlias = Any
"""A boto3 client: boto3 carries no types."""

_SIZES = (100, 5_000, 70_000, 300_000)
_BODY_ATTEMPTS = 5  # as s3transfer's num_download_attempts: the retries of boto3 end with the head of an answer


def make_client(port: int, *, connections: int = 32) -> Client:
    """A client with ordinary retries: the standard mode with its own number of attempts, 3."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="cluster",
        aws_secret_access_key="unchecked",
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}, max_pool_connections=connections),
    )


def content(key: str, version: int) -> bytes:
    """What a key holds as of a version."""
    mark = f"{key} {version}\n".encode()
    size = _SIZES[version % len(_SIZES)]
    return (mark * (size // len(mark) + 1))[:size]


def read(client: Client, key: str) -> bytes:
    """The bytes of an object; an answer that breaks off is asked for again, as transfer libraries do."""
    attempts = 0
    while True:
        try:
            found: bytes = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except BotoCoreError:
            attempts += 1
            if attempts == _BODY_ATTEMPTS:
                raise
        else:
            return found


@dataclass(slots=True)
class KeyHistory:
    """The versions of one key, from 0, and when each was acknowledged."""

    key: str
    acknowledged_at: list[float] = field(default_factory=list)
    begun: int = -1

    @property
    def acknowledged(self) -> int:
        """The last version whose writer was told so; -1 for none."""
        return len(self.acknowledged_at) - 1

    def write(self, client: Client) -> None:
        """Write the next version."""
        self.begun += 1
        client.put_object(Bucket=BUCKET, Key=self.key, Body=content(self.key, self.begun))
        self.acknowledged_at.append(time.monotonic())

    def read_age(self, client: Client) -> float:
        """Read it; for how many seconds there had been a newer version when the reading began, 0 if it is fresh.

        Raises:
            AssertionError: it is no version that may be there.
        """
        begin, oldest = time.monotonic(), self.acknowledged
        body = read(client, self.key)
        version = version_of(body)
        assert body == content(self.key, version), f"{self.key}: {body[:60]!r} of {len(body)} bytes was never written"
        assert version <= self.begun, f"{self.key}: version {version} is not written yet"
        return begin - self.acknowledged_at[version + 1] if version < oldest else 0.0


def version_of(body: bytes) -> int:
    """The version that content says it is."""
    return int(body.partition(b"\n")[0].rpartition(b" ")[2])


@dataclass(slots=True)
class Outcomes:
    """What the clients met."""

    writes: int = 0
    reads: int = 0
    oldest_seconds: float = 0.0
    """How long the longest superseded answer had been so."""
    superseded: int = 0
    """How many answers were older than what had been acknowledged."""
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_read(self, age: float) -> None:
        with self.lock:
            self.reads += 1
            self.superseded += age > 0
            self.oldest_seconds = max(self.oldest_seconds, age)

    def add_write(self) -> None:
        with self.lock:
            self.writes += 1

    def add_failure(self, what: str) -> None:
        with self.lock:
            self.failures.append(what)


class Traffic:
    """Writers and readers that run until they are stopped. Made by ``flowing``."""

    def __init__(self, client: Client, *, writers: int, readers: int, keys: int, seed: int) -> None:
        self.outcomes = Outcomes()
        self.histories = [KeyHistory(f"key-{number:03d}") for number in range(keys)]
        self._client = client
        self._stopped = threading.Event()
        shares = [self.histories[number::writers] for number in range(writers)]
        chances = [random.Random(seed + number) for number in range(writers + readers)]
        self._threads = [threading.Thread(target=self._write, args=(share, chances.pop())) for share in shares] + [
            threading.Thread(target=self._read, args=(chances.pop(),)) for _ in range(readers)
        ]

    def start(self) -> None:
        """Write every key once, then begin."""
        for history in self.histories:
            history.write(self._client)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the requests under way."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _write(self, histories: Sequence[KeyHistory], chance: random.Random) -> None:
        while not self._stopped.is_set():
            history = chance.choice(histories)
            try:
                history.write(self._client)
            except (BotoCoreError, ClientError) as error:
                self.outcomes.add_failure(f"a write of {history.key}: {error}")
                return  # nobody knows which version is there
            self.outcomes.add_write()
            self._outcome_of_read(history)

    def _read(self, chance: random.Random) -> None:
        while not self._stopped.is_set():
            self._outcome_of_read(chance.choice(self.histories))

    def _outcome_of_read(self, history: KeyHistory) -> None:
        try:
            age = history.read_age(self._client)
        except (BotoCoreError, ClientError, AssertionError) as error:
            self.outcomes.add_failure(f"a read of {history.key}: {error}")
        else:
            self.outcomes.add_read(age)


@contextmanager
def flowing(port: int, *, writers: int = 2, readers: int = 3, keys: int = 24, seed: int = 1) -> Iterator[Traffic]:
    """Traffic through a balancer meanwhile; with an exception out of the block it stops just the same."""
    with ExitStack() as stack:
        client = make_client(port, connections=writers + readers)
        stack.callback(client.close)
        traffic = Traffic(client, writers=writers, readers=readers, keys=keys, seed=seed)
        traffic.start()
        stack.callback(traffic.stop)
        yield traffic
