"""Every target by name, and which of them the others are compared with."""

from bench.peers.caches import HTTP_CACHES
from bench.peers.go_servers import GO_SERVERS
from bench.peers.java_servers import JAVA_SERVERS
from bench.peers.nginx import NGINX_CACHES, NGINX_SERVERS
from bench.peers.other_servers import OTHER_SERVERS
from bench.peers.ours import OUR_CACHES, OUR_SERVERS
from bench.targets import Target

_DIRECT = Target(
    name="direct",
    summary="no cache: the client reads the under-store",
    absence=lambda: None,
    command=None,
    caches=True,
)

_S3_SERVERS = (*GO_SERVERS, *JAVA_SERVERS, *OTHER_SERVERS)

SERVERS = (*OUR_SERVERS, *NGINX_SERVERS, *_S3_SERVERS)
"""Those that have the objects themselves."""

CACHES = (*OUR_CACHES, _DIRECT, *NGINX_CACHES, *HTTP_CACHES)
"""Those that stand before an under-store, and the one that is the under-store itself, as clients without a cache."""

TARGETS = (*SERVERS, *CACHES)

# Debian's nginx.conf and most advice say tcp_nopush on. It helps small files, but may halve the rate of 1 MiB ones and
# lets a client that delays its ACKs wait 40 ms for the end of some ranges; so both are measured, and the faster counts.
NGINXES = ("nginx", "nginx-uncorked")

NGINX_SLICES = tuple(target.name for target in NGINX_CACHES)
"""The faster of them counts."""

S3_PEERS = tuple(target.name for target in _S3_SERVERS if target.name != "moto")
"""All S3 servers whom ours is measured beside, but for moto, who keeps no connection: only what sends one request at a
time can measure it."""

OUR_CACHE_NAMES = tuple(target.name for target in OUR_CACHES)
"""Our cache with both tiers, with one of them, and with none."""

HTTP_CACHE_NAMES = tuple(target.name for target in HTTP_CACHES)

CACHE_PEERS = (*HTTP_CACHE_NAMES, *NGINX_SLICES)
"""All whom our cache is measured beside."""

BASELINES = (*NGINXES, *NGINX_SLICES)
"""The fastest of those that took part in a case is what ``x nginx`` means."""
