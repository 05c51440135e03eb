"""The place the attacks are tried on: two users, their buckets, and what lies outside."""

import hashlib
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.server import Server
from tests.signing import Keys, sign_v4
from tests.wire import Answer, Call, Connection, ask

ALICE = Keys("AKALICEALICEALICE234", "wonderland-secret-of-alice-0123456789")
BOB = Keys("AKBOBBOBBOBBOBBOB567", "builder-secret-of-bob-abcdefghijklmno")
CANARY = b"canary: nobody may read or write this through S3"
KEPT = b"what alice keeps"


@dataclass(frozen=True, slots=True)
class Site:
    """A running server in signature mode, the directory around it, and that of the buckets.

    Alice owns the bucket ``alice`` with the key ``kept``; Bob owns ``bob``, which is empty. Requests through ``ask``
    are Alice's unless said otherwise.
    """

    server: Server
    base: Path
    root: Path
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def outside(self) -> Path:
        """A directory beside the root, with the canary in it."""
        return self.base / "outside"

    def fresh(self, prefix: str = "key") -> str:
        """A name that no other test uses."""
        return f"{prefix}-{next(self._numbers)}"

    def ask(
        self,
        method: str,
        target: str | bytes,
        body: bytes = b"",
        *,
        keys: Keys = ALICE,
        extra: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Send one well-signed request; of header names, those in ``extra`` too, ``_`` becomes ``-``."""
        return ask(self.port, sign_v4(call(method, target, body, extra=extra, **headers), keys))

    def connect(self) -> Connection:
        return Connection(self.port)

    def bucket(self, keys: Keys = ALICE) -> str:
        """Make a bucket of its own."""
        name = self.fresh("bucket")
        assert self.ask("PUT", f"/{name}", keys=keys).status == 200
        return name

    def upload(self, bucket: str, key: str, keys: Keys = ALICE) -> str:
        """Begin a multipart upload and return its id."""
        answer = self.ask("POST", f"/{bucket}/{key}?uploads", keys=keys)
        assert answer.status == 200
        return answer.text("UploadId")

    def state(self) -> dict[str, str]:
        """All that lies below the root or beside it, but for files being written and logs: path -> digest."""
        return {**tree(self.root), **tree(self.outside)}


def call(
    method: str, target: str | bytes, body: bytes = b"", *, extra: Mapping[str, str] | None = None, **headers: str
) -> Call:
    """An unsigned request; of header names ``_`` becomes ``-``."""
    headers |= extra or {}
    raw = target if isinstance(target, bytes) else target.encode()
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Call(method.encode(), raw, body=body).having(*pairs)


def tree(top: Path) -> dict[str, str]:
    """Each path below ``top`` with a digest of what it is, symbolic links not followed."""
    found: dict[str, str] = {}
    for directory, names, files in os.walk(top):
        if directory == str(top) and ".s3proxy" in names:
            found |= _uploads(top / ".s3proxy" / "uploads")
            names.remove(".s3proxy")
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            found[path] = _digest(path)
    return found


def _uploads(top: Path) -> dict[str, str]:
    return {str(path): _digest(str(path)) for path in top.rglob("*")}


def _digest(path: str) -> str:
    if os.path.islink(path):
        return f"link to {os.readlink(path)}"
    if not os.path.isfile(path):
        return "directory" if os.path.isdir(path) else "special"
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith("user.")}
    content = Path(path).read_bytes()
    return hashlib.sha256(repr(sorted(attributes.items())).encode() + content).hexdigest()
