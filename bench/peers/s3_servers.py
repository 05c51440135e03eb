"""The S3 servers that a user could take instead, each with its objects in a directory of its own, one node of it.

Equal durability is to be looked at: MinIO is on the disk when it answers, as our server is with fsync on. Those that
sync nothing (see each) are to be compared with ``s3proxy-nofsync``.
"""

import importlib.util
import json
import sys
from functools import partial
from importlib.metadata import version

from bench.ceph import ceph_absence, ceph_started
from bench.peers.programs import absence_of, absence_of_named, named, program, version_said
from bench.targets import CREDENTIALS, HOST, Data, Place, Target, free_port

_MINIO = "S3PROXY_BENCH_MINIO"
_VERSITYGW = "S3PROXY_BENCH_VERSITYGW"
_WEED = "S3PROXY_BENCH_WEED"
_RCLONE = "S3PROXY_BENCH_RCLONE"
_GAUL = "S3PROXY_BENCH_GAUL"


def _minio(place: Place) -> list[str]:
    keys = [f"MINIO_ROOT_USER={CREDENTIALS.access_key}", f"MINIO_ROOT_PASSWORD={CREDENTIALS.secret_key}"]
    serve = ["server", "--quiet", "--address", f"{HOST}:{place.port}", str(place.root)]
    return ["env", *keys, "MINIO_BROWSER=off", "MINIO_UPDATE=off", str(program("minio", _MINIO)), *serve]


def _versitygw(place: Place) -> list[str]:
    keys = ["--access", CREDENTIALS.access_key, "--secret", CREDENTIALS.secret_key]
    serve = ["--quiet", "--keep-alive", "--port", f"{HOST}:{place.port}", *keys, "posix", str(place.root)]
    return [str(program("versitygw", _VERSITYGW)), *serve]


def _weed(place: Place) -> list[str]:
    """Master, volume server, filer and gateway in one process, with their ports."""
    identity = {
        "name": "bench",
        "credentials": [{"accessKey": CREDENTIALS.access_key, "secretKey": CREDENTIALS.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = place.scratch / "weed-s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer")
    ports = [f"-{part}.{kind}={free_port()}" for part in parts for kind in ("port", "port.grpc")]
    gateway = ["-s3", f"-s3.port={place.port}", f"-s3.port.grpc={free_port()}", f"-s3.config={config}"]
    room = ["-master.volumeSizeLimitMB=1024", "-volume.max=0"]
    program_and_logs = [str(program("weed", _WEED)), "-logtostderr", "server"]
    return [*program_and_logs, f"-dir={place.root}", f"-ip={HOST}", f"-ip.bind={HOST}", *ports, *gateway, *room]


def _rclone(place: Place) -> list[str]:
    keys = ["--auth-key", f"{CREDENTIALS.access_key},{CREDENTIALS.secret_key}"]
    serve = ["serve", "s3", "--config", "/dev/null", "--addr", f"{HOST}:{place.port}", *keys, str(place.root)]
    return [str(program("rclone", _RCLONE)), *serve]


_GAUL_PROPERTIES = """\
s3proxy.endpoint=http://{host}:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={access_key}
s3proxy.credential={secret_key}
s3proxy.v4-max-non-chunked-request-size=134217728
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={root}
"""


def _gaul(place: Place) -> list[str]:
    properties = place.scratch / "gaul.properties"
    properties.write_text(
        _GAUL_PROPERTIES.format(
            host=HOST,
            port=place.port,
            access_key=CREDENTIALS.access_key,
            secret_key=CREDENTIALS.secret_key,
            root=place.root,
        )
    )
    quiet = ["-DLOG_LEVEL=warn", "-Xmx4g"]
    return [str(program("java")), *quiet, "-jar", str(named(_GAUL)), "--properties", str(properties)]


def _moto(place: Place) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(place.port)]


def _moto_absence() -> str | None:
    return None if importlib.util.find_spec("moto") else "the package moto is not importable"


S3_SERVERS = (
    Target(
        name="minio",
        summary="MinIO on one drive; signed; syncs what it writes",
        absence=lambda: absence_of("minio", _MINIO),
        version=partial(version_said, "minio", "--version", variable=_MINIO),
        command=_minio,
        credentials=CREDENTIALS,
        data=Data.OWN,
    ),
    Target(
        name="versitygw",
        summary="versitygw over a directory; signed; syncs nothing",
        absence=lambda: absence_of("versitygw", _VERSITYGW),
        version=partial(version_said, "versitygw", "--version", variable=_VERSITYGW),
        command=_versitygw,
        credentials=CREDENTIALS,
        data=Data.OWN,
    ),
    Target(
        name="seaweedfs",
        summary="SeaweedFS in one process; signed; syncs nothing",
        absence=lambda: absence_of("weed", _WEED),
        version=partial(version_said, "weed", "version", variable=_WEED),
        command=_weed,
        credentials=CREDENTIALS,
        data=Data.OWN,
    ),
    Target(
        name="rclone",
        summary="rclone serve s3 over a directory; signed; syncs nothing",
        absence=lambda: absence_of("rclone", _RCLONE),
        version=partial(version_said, "rclone", "version", variable=_RCLONE),
        command=_rclone,
        credentials=CREDENTIALS,
        data=Data.OWN,
    ),
    Target(
        name="gaul-s3proxy",
        summary="gaul/s3proxy over a directory; signed; syncs nothing",
        absence=lambda: absence_of("java", package="default-jre-headless") or absence_of_named("jar", _GAUL),
        version=lambda: f"gaul {named(_GAUL)}",
        command=_gaul,
        credentials=CREDENTIALS,
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
        summary="moto's server, in memory and meant for tests; signed, but not checked",
        absence=_moto_absence,
        version=lambda: f"moto {version('moto')}",
        command=_moto,
        credentials=CREDENTIALS,
        data=Data.PASSING,
    ),
)
