"""The S3 servers written in Go: MinIO, versitygw, SeaweedFS and rclone, one node each, over a directory of its own.

Mind what is durable: MinIO syncs the files that it writes, though not their directories, and is to be compared with
``s3proxy-signed``; the others sync nothing, and are to be compared with ``s3proxy-signed-nofsync``.
"""

import json
from functools import partial

from bench.peers.programs import absence_of, program, version_said
from bench.targets import CREDENTIALS, HOST, Data, Place, Target, free_port

_MINIO = "S3PROXY_BENCH_MINIO"
_VERSITYGW = "S3PROXY_BENCH_VERSITYGW"
_WEED = "S3PROXY_BENCH_WEED"
_RCLONE = "S3PROXY_BENCH_RCLONE"


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


GO_SERVERS = (
    Target(
        name="minio",
        summary="MinIO on one drive; signed; syncs files, not directories",
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
        summary="rclone serve s3 over a directory; signed; syncs nothing; hashes a file whenever its ETag is asked for",
        absence=lambda: absence_of("rclone", _RCLONE),
        version=partial(version_said, "rclone", "version", variable=_RCLONE),
        command=_rclone,
        credentials=CREDENTIALS,
        data=Data.OWN,
    ),
)
