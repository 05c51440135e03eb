"""The other S3 servers: Garage and Ceph, one node each, and moto, which is meant for tests.

Garage syncs what it writes, and is to be compared with ``s3proxy-signed``; the others keep objects in memory.
"""

import importlib.util
import sys
from functools import partial
from importlib.metadata import version

from bench.ceph import ceph_absence, ceph_started
from bench.peers.programs import absence_of, program, version_said
from bench.signing import Credentials
from bench.targets import CREDENTIALS, HOST, Data, Place, Target, free_port

_GARAGE = "S3PROXY_BENCH_GARAGE"
_GARAGE_KEYS = Credentials(access_key="GK" + "be4c" * 6, secret_key="be4c" * 16)  # it takes no others

# As others do it syncs, and compresses nothing.
_GARAGE_CONFIG = """\
metadata_dir = "{root}/metadata"
data_dir = "{root}/data"
db_engine = "lmdb"
metadata_fsync = true
data_fsync = true
compression_level = "none"
replication_factor = 1
rpc_bind_addr = "{host}:{rpc}"
rpc_public_addr = "{host}:{rpc}"
rpc_secret = "{secret}"
[s3_api]
s3_region = "{region}"
api_bind_addr = "{host}:{port}"
"""


def _garage(place: Place) -> list[str]:
    config = place.scratch / "garage.toml"
    config.write_text(
        _GARAGE_CONFIG.format(
            root=place.root,
            host=HOST,
            port=place.port,
            rpc=free_port(),
            secret=_GARAGE_KEYS.secret_key,
            region=_GARAGE_KEYS.region,
        )
    )
    keys = [
        f"GARAGE_DEFAULT_ACCESS_KEY={_GARAGE_KEYS.access_key}",
        f"GARAGE_DEFAULT_SECRET_KEY={_GARAGE_KEYS.secret_key}",
    ]
    serve = ["-c", str(config), "server", "--single-node", "--default-access-key"]
    return ["env", "RUST_LOG=garage=warn", *keys, str(program("garage", _GARAGE)), *serve]


def _moto(place: Place) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(place.port)]


def _moto_absence() -> str | None:
    return None if importlib.util.find_spec("moto") else "the package moto is not importable"


OTHER_SERVERS = (
    Target(
        name="garage",
        summary="Garage on one node; signed; syncs what it writes",
        absence=lambda: absence_of("garage", _GARAGE),
        version=partial(version_said, "garage", "--version", variable=_GARAGE),
        command=_garage,
        credentials=_GARAGE_KEYS,
        data=Data.OWN,
    ),
    Target(
        name="ceph-rgw",
        summary="Ceph RGW over one OSD in memory; signed; CPU and memory are the gateway's alone",
        absence=ceph_absence,
        version=partial(version_said, "radosgw", "--version"),
        command=None,
        start=lambda scratch: ceph_started(scratch / "target"),
        data=Data.PASSING,
    ),
    Target(
        name="moto",
        summary="moto's server, in memory and meant for tests; closes each connection after one response",
        absence=_moto_absence,
        version=lambda: f"moto {version('moto')}",
        command=_moto,
        credentials=CREDENTIALS,
        data=Data.PASSING,
    ),
)
