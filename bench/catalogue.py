"""Every target, and which of them the others are compared with."""

from bench.caches import CACHES, NGINX_SLICES
from bench.targets import NGINXES, SERVERS

TARGETS = (*SERVERS, *CACHES)

BASELINES = (*NGINXES, *NGINX_SLICES)
"""The fastest of those that took part in a case is what ``x nginx`` means."""
