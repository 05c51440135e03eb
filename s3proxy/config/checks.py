"""What several keys of a configuration must be together."""

import ipaddress
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from s3proxy.config.addresses import is_loopback, split_address
from s3proxy.config.errors import ConfigError
from s3proxy.config.sections import (
    DEFAULT_STORE,
    AdminConfig,
    Config,
    DiskTierConfig,
    LogConfig,
    MemoryTierConfig,
    MountConfig,
    ServerConfig,
    StoreConfig,
    TlsConfig,
)

_LEAST_BLOCKS = 4
"""A tier must hold so many, or it evicts what it is being read from."""


def check(config: Config) -> None:
    """Check what concerns several keys together.

    Raises:
        ConfigError: the keys contradict each other.
    """
    host, _ = split_address(config.server.listen)
    _check_domains(config.server.domains)
    _check_proxies(config.server)
    _check_tls(config.tls)
    _check_users(config)
    if config.auth.mode == "open" and not config.auth.allow_open_network and not is_loopback(host):
        raise ConfigError(
            f'server.listen = "{config.server.listen}": in open mode anyone who can connect owns the data, so only a '
            'loopback address is allowed; set auth.mode = "signature" and [[users]], or auth.allow_open_network = true'
        )
    _check_admin(config.admin)
    _check_log(config.log)
    _check_stores(config)
    _check_mounts(config)
    _check_cache(config)
    _check_tiers(config)


def _check_domains(domains: tuple[str, ...]) -> None:
    for domain in domains:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", domain):
            raise ConfigError(f'server.domains = "{domain}": must be a lower-case domain name without a port')


def _check_proxies(server: ServerConfig) -> None:
    for proxy in server.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ConfigError(
                f'server.trusted_proxies = "{proxy}": must be an address like 10.1.2.3 or a network like 10.1.0.0/16 '
                f"({error})"
            ) from error
    if server.proxy_protocol and not server.trusted_proxies:
        raise ConfigError(
            "server.proxy_protocol = true: needs server.trusted_proxies, the addresses that send the PROXY header"
        )


def _check_tls(tls: TlsConfig) -> None:
    if bool(tls.certificate_file) != bool(tls.key_file):
        missing, given = ("key_file", "certificate_file") if tls.certificate_file else ("certificate_file", "key_file")
        raise ConfigError(f"tls.{missing}: is missing beside tls.{given}; give both, or none for plain HTTP")
    asks = tls.client_certificate != "off"
    if asks and not tls.certificate_file:
        raise ConfigError(f'tls.client_certificate = "{tls.client_certificate}": needs tls.certificate_file')
    if asks and not tls.client_ca_file:
        raise ConfigError(
            f'tls.client_certificate = "{tls.client_certificate}": needs tls.client_ca_file, which says whose '
            "certificates are accepted"
        )
    if tls.client_ca_file and not asks:
        raise ConfigError(
            f'tls.client_ca_file = "{tls.client_ca_file}": means nothing with tls.client_certificate = "off"; say '
            '"required" or "optional"'
        )


def _check_users(config: Config) -> None:
    if config.auth.mode == "signature" and not config.users:
        raise ConfigError(
            'auth.mode = "signature": needs at least one [[users]] table; make one with: s3proxy credentials new NAME'
        )
    seen: set[str] = set()
    for index, user in enumerate(config.users):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{3,128}", user.access_key):
            raise ConfigError(
                f'users[{index}].access_key = "{user.access_key}": must be 3 to 128 of the characters A-Z a-z 0-9 _ . -'
            )
        if len(user.secret_key) < 8:
            raise ConfigError(f"users[{index}].secret_key: must have at least 8 characters")
        if user.access_key in seen:
            raise ConfigError(f'users[{index}].access_key = "{user.access_key}": is used by two users')
        seen.add(user.access_key)


def _check_admin(admin: AdminConfig) -> None:
    if admin.token and not re.fullmatch(r"[!-~]{16,512}", admin.token):
        raise ConfigError("admin.token: must have 16 to 512 ASCII characters and no blank")
    for host in admin.hosts:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host):
            raise ConfigError(f'admin.hosts = "{host}": must be a lower-case name without a port')
    if admin.listen and not is_loopback(split_address(admin.listen, "admin.listen")[0]) and not admin.token:
        raise ConfigError(
            f'admin.listen = "{admin.listen}": anyone who can connect sees what is stored and can empty the cache; '
            "set admin.token, or listen on a loopback address"
        )


def _check_log(log: LogConfig) -> None:
    for key, where in (("access", log.access), ("audit", log.audit)):
        if not where:
            raise ConfigError(f'log.{key} = "": must be "stderr", "off" or the path of a file')
    if log.access == log.audit and log.access not in {"stderr", "off"}:
        raise ConfigError(f'log.audit = "{log.audit}": must be another file than log.access')


# Stores


def _check_stores(config: Config) -> None:
    seen = {DEFAULT_STORE}
    for index, named in enumerate(config.stores):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", named.name):
            raise ConfigError(
                f'stores[{index}].name = "{named.name}": must be 1 to 64 of the characters A-Z a-z 0-9 _ . -'
            )
        if named.name in seen:
            reason = "is what [store] is called" if named.name == DEFAULT_STORE else "is the name of two stores"
            raise ConfigError(f'stores[{index}].name = "{named.name}": {reason}')
        seen.add(named.name)
    for path, store in _stores(config):
        if store.kind == "s3":
            _check_s3(path, store)


def _stores(config: Config) -> Iterator[tuple[str, StoreConfig]]:
    yield "store", config.store
    for index, store in enumerate(config.stores):
        yield f"stores[{index}]", store


def _check_s3(path: str, store: StoreConfig) -> None:
    if store.endpoint:
        _check_endpoint(path, store.endpoint)
    if bool(store.access_key) != bool(store.secret_key):
        missing, given = ("secret_key", "access_key") if store.access_key else ("access_key", "secret_key")
        raise ConfigError(f"{path}.{missing}: is missing beside {given}; give both, or none for botocore's chain")
    if store.anonymous and store.access_key:
        raise ConfigError(f"{path}.anonymous = true: sends no keys, but there is {path}.access_key")


def _check_endpoint(path: str, endpoint: str) -> None:
    parts = urlsplit(endpoint)
    try:
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if parts.username or parts.password:
        raise ConfigError(f"{path}.endpoint: holds a user name or a password; give access_key and secret_key")
    is_bare = not parts.query and not parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_valid or not is_bare:
        raise ConfigError(f'{path}.endpoint = "{endpoint}": must be http://HOST[:PORT][/PATH] or the same with https')


# Mounts


def _check_mounts(config: Config) -> None:
    names = {DEFAULT_STORE, *(store.name for store in config.stores)}
    seen: set[str] = set()
    for index, mount in enumerate(config.mount):
        path = f"mount[{index}]"
        if mount.store not in names:
            raise ConfigError(f'{path}.store = "{mount.store}": is no store; there are {", ".join(sorted(names))}')
        if mount.bucket in seen:
            raise ConfigError(f'{path}.bucket = "{mount.bucket}": is mounted twice')
        seen.add(mount.bucket)
        _check_mount(path, mount)


def _check_mount(path: str, mount: MountConfig) -> None:
    if not re.fullmatch(r"[a-z0-9.*-]{1,63}", mount.bucket):
        raise ConfigError(
            f'{path}.bucket = "{mount.bucket}": must be the name of a bucket, or a pattern in which * is any text'
        )
    if mount.target_bucket and "*" in mount.bucket:
        raise ConfigError(
            f'{path}.target_bucket = "{mount.target_bucket}": would be the same for every bucket that "{mount.bucket}" '
            "means; leave it out, or name one bucket"
        )
    if mount.target_bucket and not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", mount.target_bucket):
        raise ConfigError(f'{path}.target_bucket = "{mount.target_bucket}": must be the name of a bucket')
    if len(mount.prefix.encode()) > 512:
        raise ConfigError(f"{path}.prefix: must have at most 512 bytes, for a key has at most 1,024 with it")
    if -1 < mount.metadata_ttl_seconds < 0:
        raise ConfigError(
            f"{path}.metadata_ttl_seconds = {mount.metadata_ttl_seconds}: must be 0 or more, or -1 for that of [cache]"
        )


# The cache


def _check_cache(config: Config) -> None:
    cache = config.cache
    for key, size in (("fragment_size", cache.fragment_size), ("block_size", cache.block_size)):
        if size % 4096:
            raise ConfigError(f"cache.{key} = {size}: must be a multiple of 4096")
    if cache.block_size % cache.fragment_size:
        raise ConfigError(
            f"cache.fragment_size = {cache.fragment_size}: must divide cache.block_size = {cache.block_size}"
        )
    if cache.max_fetch_bytes < cache.block_size:
        raise ConfigError(
            f"cache.max_fetch_bytes = {cache.max_fetch_bytes}: must be at least cache.block_size = {cache.block_size}"
        )
    if cache.low_watermark >= cache.high_watermark:
        raise ConfigError(
            f"cache.low_watermark = {cache.low_watermark}: must be below cache.high_watermark = {cache.high_watermark}"
        )


def _check_tiers(config: Config) -> None:
    for path, tier in (("memory_tier", config.memory_tier), ("disk_tier", config.disk_tier)):
        if tier.directory:
            _check_tier(path, tier, config)
    memory, disk = config.memory_tier.directory, config.disk_tier.directory
    if memory and disk and _overlap(memory, disk):
        raise ConfigError(f'disk_tier.directory = "{disk}": must be apart from memory_tier.directory = "{memory}"')


def _check_tier(path: str, tier: MemoryTierConfig | DiskTierConfig, config: Config) -> None:
    if not os.path.isabs(tier.directory):
        raise ConfigError(f'{path}.directory = "{tier.directory}": must be an absolute path')
    least = _LEAST_BLOCKS * config.cache.block_size
    if tier.size < least:
        raise ConfigError(
            f"{path}.size = {tier.size}: must be at least {least}, {_LEAST_BLOCKS} blocks of cache.block_size = "
            f"{config.cache.block_size}"
        )
    for store_path, store in _stores(config):
        if store.kind == "local" and _overlap(tier.directory, store.root):
            raise ConfigError(
                f'{path}.directory = "{tier.directory}": must be apart from {store_path}.root = "{store.root}"'
            )


def _overlap(one: str, other: str) -> bool:
    one, other = os.path.realpath(one), os.path.realpath(other)
    return os.path.commonpath((one, other)) in {one, other}
