"""What HTTP caches are put before a store: Varnish, and Apache Traffic Server, as Debian has them."""

import os

from bench.peers.ours import DISK_SIZE, FRESH_SECONDS
from bench.peers.programs import absence_of, program, version_said
from bench.requests import Endpoint
from bench.targets import HOST, Place, Target

_VCL = """\
vcl 4.1;
backend store {{ .host = "{host}"; .port = "{port}"; }}
sub vcl_recv {{
    set req.http.Host = "{authority}";
    return (hash);
}}
sub vcl_backend_response {{
    set beresp.ttl = {fresh}s;
    set beresp.grace = 0s;
    set beresp.do_stream = true;
}}
"""

# One pool of threads, connections kept for the length of a run, and the bulk of its log in shared memory, which cannot
# be turned off as a whole, left out.
_UNLOGGED = (
    *("Begin", "End", "Link", "Timestamp", "ReqStart", "ReqMethod", "ReqURL", "ReqProtocol", "ReqHeader", "ReqUnset"),
    *("RespProtocol", "RespStatus", "RespReason", "RespHeader", "RespUnset", "ReqAcct", "VCL_call", "VCL_return"),
    *("VCL_use", "Hit", "HitMiss", "Storage", "SessOpen", "SessClose", "Filters", "BereqHeader", "BerespHeader"),
)
_VARNISH_PARAMETERS = {
    "thread_pools": "1",
    "timeout_idle": "3600",
    "listen_depth": "2048",
    "vsl_mask": ",".join(f"-{tag}" for tag in _UNLOGGED),
}


def _varnish(place: Place) -> list[str]:
    upstream, _ = place.needs
    vcl = place.scratch / "varnish.vcl"
    vcl.write_text(
        _VCL.format(host=upstream.host, port=upstream.port, authority=upstream.authority, fresh=FRESH_SECONDS)
    )
    listen, storage = f"{HOST}:{place.port}", f"malloc,{place.memory_size}"
    parameters = [word for name, value in _VARNISH_PARAMETERS.items() for word in ("-p", f"{name}={value}")]
    command = [str(program("varnishd")), "-F", "-n", str(place.scratch / "varnish"), "-f", str(vcl)]
    return [*command, "-a", listen, "-s", storage, "-j", "none", *parameters]


_NOBODY = 65534

# Its settings live in files of these names, found by what runroot.yaml says.
_TRAFFIC_SERVER = {
    "runroot.yaml": """\
prefix: {home}
exec_prefix: {home}
bindir: /usr/bin
sbindir: /usr/bin
sysconfdir: {home}
datadir: {home}
includedir: {home}
libdir: {home}
libexecdir: {home}
localstatedir: {home}
runtimedir: {home}
logdir: {home}
cachedir: {home}
""",
    # One thread that serves; a tier in memory before the one on a disk, both open to what is read for the first time;
    # who asks for what is being fetched reads along; whole objects are kept, and ranges are cut out of them.
    "records.config": """\
CONFIG proxy.config.http.server_ports STRING {port}:ip-in={host}
CONFIG proxy.config.admin.user_id STRING #{user}
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.http.cache.ignore_client_cc_max_age INT 1
CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 3600
CONFIG proxy.config.http.keep_alive_no_activity_timeout_out INT 3600
CONFIG proxy.config.net.connections_throttle INT 6000
CONFIG proxy.config.cache.ram_cache.size INT {memory_size}
CONFIG proxy.config.cache.ram_cache_cutoff INT {memory_size}
CONFIG proxy.config.cache.ram_cache.use_seen_filter INT 0
CONFIG proxy.config.cache.enable_read_while_writer INT 1
CONFIG proxy.config.http.background_fill_completed_threshold FLOAT 0.0
CONFIG proxy.config.http.background_fill_active_timeout INT 0
CONFIG proxy.config.http.cache.max_open_read_retries INT 1000
CONFIG proxy.config.http.cache.open_read_retry_time INT 10
CONFIG proxy.config.http.cache.open_write_fail_action INT 5
""",
    "remap.config": "map http://{host}:{port}/ http://{store}/\n",
    "storage.config": "{disk} {disk_size}\n",
    "cache.config": "url_regex=.* ttl-in-cache={fresh}s\n",
    "ip_allow.yaml": "ip_allow:\n  - {{apply: in, ip_addrs: 127.0.0.0/8, action: allow, methods: ALL}}\n",
    "plugin.config": "",
}


def _traffic_server(place: Place) -> list[str]:
    upstream, (_, disk) = place.needs
    home = place.scratch / "trafficserver"
    home.mkdir(exist_ok=True)
    for name, text in _TRAFFIC_SERVER.items():
        (home / name).write_text(_filled(text, place, upstream, home=home, disk=disk))
    serve = [str(program("traffic_server")), f"--run-root={home / 'runroot.yaml'}"]
    if os.geteuid() != 0:
        return serve
    # It will not run as root, but who is root outside may be another inside.
    return ["unshare", "--user", f"--map-user={_NOBODY}", *serve]


def _filled(text: str, place: Place, upstream: Endpoint, **paths: object) -> str:
    return text.format(
        host=HOST,
        port=place.port,
        user=os.geteuid() or _NOBODY,
        store=upstream.authority,
        memory_size=place.memory_size,
        disk_size=DISK_SIZE,
        fresh=FRESH_SECONDS,
        **paths,
    )


HTTP_CACHES = (
    Target(
        name="varnish",
        summary="whole objects in memory of its own, of the memory tier's size; one pool of threads",
        absence=lambda: absence_of("varnishd", package="varnish"),
        version=lambda: version_said("varnishd", "-V"),
        command=_varnish,
        speaks_s3=False,
        caches=True,
    ),
    Target(
        name="trafficserver",
        summary="Apache Traffic Server: whole objects in memory and on the disk, sizes as our tiers; one thread",
        absence=lambda: absence_of("traffic_server", package="trafficserver"),
        version=lambda: version_said("traffic_server", "--version"),
        command=_traffic_server,
        speaks_s3=False,
        caches=True,
    ),
)
