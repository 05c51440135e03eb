"""The S3 servers written in Java: gaul/s3proxy, and Alluxio 2.9 with its S3 proxy, each over a directory of its own.

Neither syncs what it writes: they are to be compared with ``s3proxy-signed-nofsync``.
"""

import getpass
from dataclasses import replace
from pathlib import Path

from bench.peers.programs import absence_of, absence_of_named, named, program
from bench.targets import CREDENTIALS, HOST, Data, Place, Target, free_port

_ALLUXIO = "S3PROXY_BENCH_ALLUXIO"
"""Its home: what is unpacked from its archive, or a directory ``lib`` with its jars for master, worker and proxy."""
_GAUL = "S3PROXY_BENCH_GAUL"
"""The jar with its dependencies."""

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


_ALLUXIO_PROPERTIES = """\
alluxio.master.hostname={host}
alluxio.master.rpc.port={master}
alluxio.master.web.port={master_web}
alluxio.master.journal.type=UFS
alluxio.master.journal.folder={journal}
alluxio.master.mount.table.root.ufs={files}
alluxio.worker.hostname={host}
alluxio.worker.rpc.port={worker}
alluxio.worker.web.port={worker_web}
alluxio.worker.ramdisk.size={memory_size}
alluxio.worker.tieredstore.level0.alias=MEM
alluxio.worker.tieredstore.level0.dirs.path={memory}
alluxio.proxy.web.bind.host={host}
alluxio.proxy.web.port={port}
alluxio.security.authentication.type=SIMPLE
alluxio.master.security.impersonation.{user}.users=*
alluxio.master.security.impersonation.{user}.groups=*
alluxio.security.authorization.permission.enabled=false
"""

# The worker opens its port for browsers when the master knows it.
_ALLUXIO_SCRIPT = """\
run() {{ java -Xmx4g -Dalluxio.home={home} -Dalluxio.conf.dir={conf} -Dalluxio.logs.dir={conf} \
              -cp '{home}/assembly/*:{home}/lib/*' "$@"; }}
[ -e {journal} ] || {{ mkdir -p {files} && run alluxio.cli.Format MASTER; }}
run alluxio.master.AlluxioMaster &
run alluxio.worker.AlluxioWorker &
until (: </dev/tcp/{host}/{worker_web}) 2>/dev/null; do sleep 0.2; done
run alluxio.proxy.AlluxioProxy
"""


def _alluxio(place: Place) -> list[str]:
    conf = place.scratch / "alluxio"
    conf.mkdir(exist_ok=True)
    words = {
        "host": HOST,
        "port": place.port,
        "user": getpass.getuser(),
        **{name: free_port() for name in ("master", "master_web", "worker", "worker_web")},
        "home": named(_ALLUXIO),
        "conf": conf,
        "files": place.root / "files",
        "journal": place.root / "journal",
        "memory": conf / "memory",
        "memory_size": place.memory_size,
    }
    (conf / "alluxio-site.properties").write_text(_ALLUXIO_PROPERTIES.format_map(words))
    return ["bash", "-c", _ALLUXIO_SCRIPT.format_map(words)]


def _alluxio_version() -> str:
    jar = next((named(_ALLUXIO) or Path()).rglob("alluxio-*server*.jar"), None)
    return jar.stem if jar else ""


def _java_absence() -> str | None:
    return absence_of("java", package="default-jre-headless")


JAVA_SERVERS = (
    Target(
        name="gaul-s3proxy",
        summary="gaul/s3proxy over a directory; signed; syncs nothing",
        absence=lambda: _java_absence() or absence_of_named("jar", _GAUL),
        version=lambda: f"gaul {named(_GAUL)}",
        command=_gaul,
        credentials=CREDENTIALS,
        data=Data.OWN,
    ),
    Target(
        name="alluxio",
        summary="Alluxio's S3 proxy, with a master and a worker of its own over a directory; syncs nothing",
        absence=lambda: _java_absence() or absence_of_named("Alluxio", _ALLUXIO),
        version=_alluxio_version,
        command=_alluxio,
        credentials=replace(CREDENTIALS, access_key=getpass.getuser()),  # whom the files are to belong to
        base="/api/v1/s3",
        data=Data.OWN,
    ),
)
