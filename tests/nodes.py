"""The kinds of node that whole nodes are tested as: over a directory, and over other stores, with tiers and without.

A test that asks for the fixture ``node_kind``, as the servers of integration, model and security do, runs once for each
kind that is chosen with ``pytest --nodes KIND,KIND``; without the option everything runs over a directory, and what is
in ``QUICK`` also over another S3 and over moto. One that asks for the fixture ``root`` looks at files, and runs only
where buckets are directories.

What a store cannot do is listed in differences.py.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import server
from tests.server import Settings
from tests.signing import Keys
from tests.understores import NO_CEPH, UnderStore, ceph_program, running_ceph, running_moto

KINDS: Mapping[str, str] = {
    "directory": "one process over a directory",
    "s3": "two workers over another node, with both tiers",
    "s3-memory": "the same with the memory tier alone",
    "s3-disk": "the same with the disk tier alone",
    "s3-uncached": "the same without a cache",
    "ceph": "two workers over a Ceph, with both tiers",
    "moto": "two workers over moto, with both tiers",
}
SEEN = frozenset({"directory", "s3", "s3-memory", "s3-disk", "s3-uncached"})
"""Those whose objects are files somewhere, for tests of what is stored and what is not."""

QUICK_KINDS = ("s3", "moto")
QUICK = frozenset({
    "tests.integration.test_boto3_buckets",
    "tests.integration.test_boto3_listing",
    "tests.integration.test_boto3_metadata",
    "tests.integration.test_boto3_multipart",
    "tests.integration.test_boto3_objects",
})  # fmt: skip
"""The modules that always run over ``QUICK_KINDS``, too."""

_ACCOUNT = Keys("AKUNDERSTORE0000", "the secret of the node, for tests only")
_TIERS = {
    "s3-memory": ("memory_tier",),
    "s3-disk": ("disk_tier",),
    "s3-uncached": (),
}
_BOTH_TIERS = ("memory_tier", "disk_tier")
_TIER_SIZES = {"memory_tier": "64 MiB", "disk_tier": "256 MiB"}  # less than the tests write: some of it is evicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """What a node of some kind stands on."""

    kind: str
    store: UnderStore | None = None
    """None for a directory of the node's own."""
    root: Path | None = None
    """Where ``store`` keeps its objects as files, if it does."""
    logs: tuple[Path, ...] = field(default=())
    """What it wrote."""

    def settings(self, directory: Path) -> Settings:
        """The sections of a node's configuration that say where its buckets are; its tiers are below ``directory``."""
        if self.store is None:
            return {}
        tiers = {
            name: {"directory": str(directory / name), "size": _TIER_SIZES[name]}
            for name in _TIERS.get(self.kind, _BOTH_TIERS)
        }
        return {
            "server": {"workers": 2},
            "store": {
                "kind": "s3",
                "endpoint": self.store.endpoint,
                "access_key": self.store.access_key,
                "secret_key": self.store.secret_key,
                "conditional_writes": "put" if self.kind == "ceph" else "all",
                "root": None,
                "fsync": None,
            },
            **tiers,
        }


def absence(kind: str) -> str | None:
    """Why nodes of a kind cannot run here, or None."""
    return NO_CEPH if kind == "ceph" and ceph_program() is None else None


@contextmanager
def standing_on(kind: str, directory: Path, *, store_settings: Mapping[str, object] | None = None) -> Iterator[Under]:
    """Start what a node of some kind stands on.

    Args:
        kind: one of ``KINDS``.
        directory: for its files.
        store_settings: further keys of the section ``[store]``, where it is a node itself.
    """
    with ExitStack() as stack:
        if kind == "directory":
            yield Under(kind=kind)
        elif kind == "moto":
            yield Under(kind=kind, store=stack.enter_context(running_moto()))
        elif kind == "ceph":
            program = ceph_program()
            assert program is not None
            yield Under(kind=kind, store=stack.enter_context(running_ceph(program)))
        else:
            settings: Settings = {"store": store_settings or {}}
            started = server.started(directory / "root", directory / "log", users=(_ACCOUNT,), settings=settings)
            under = stack.enter_context(started)
            endpoint = f"http://127.0.0.1:{under.port}"
            store = UnderStore(endpoint=endpoint, access_key=_ACCOUNT.access_key, secret_key=_ACCOUNT.secret_key)
            yield Under(kind=kind, store=store, root=under.root, logs=under.logs)


def merged(*settings: Settings) -> Settings:
    """Sections of several configurations as one; of a key that comes again, the last value."""
    found: dict[str, dict[str, object]] = {}
    for each in settings:
        for name, section in each.items():
            assert isinstance(section, Mapping)
            found.setdefault(name, {}).update(section)
    return found
