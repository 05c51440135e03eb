"""The configuration: one TOML file into frozen dataclasses, every key with a default, every mistake named.

Alone in reading configuration files. Imports nothing of the project, so that every tool can read a configuration.
"""

import dataclasses
import ipaddress
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

_T = TypeVar("_T")


class ConfigError(Exception):
    """A configuration that cannot be used; the message names the key, the value and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The smallest and largest value that a number may have."""

    least: float = 0
    most: float = 2**53


def _number(default: float, *, least: float = 0, most: float = 2**53) -> Any:  # noqa: ANN401 (as dataclasses.field)
    return field(default=default, metadata={"limit": Limit(least=least, most=most)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """``[server]``: the data port."""

    listen: str = "127.0.0.1:39999"
    """HOST:PORT; port 0 lets the kernel choose."""
    region: str = "us-east-1"
    domains: tuple[str, ...] = ()
    """Domains for virtual-host addressing: ``bucket.DOMAIN``."""
    max_connections: int = _number(10_000, least=1)
    head_timeout_seconds: float = _number(30, least=0.1)
    idle_timeout_seconds: float = _number(120, least=0.1)
    stall_timeout_seconds: float = _number(60, least=0.1)
    drain_seconds: float = _number(30)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """``[auth]``: who may call."""

    mode: Literal["open", "signature"] = "open"
    allow_open_network: bool = False
    """Permit open mode on an address other than loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """``[[users]]``: one pair of keys. ``id`` defaults to the name; users with the same id are one owner."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """``[store]``: the directory that holds the buckets."""

    root: str = "s3proxy-data"
    fsync: bool = True
    """Answer 200 to a write only when it is on the disk."""
    read_only: bool = False
    min_part_size: int = _number(5 * 1024 * 1024)
    """Bytes that every part but the last of a multipart upload must have."""
    upload_idle_days: float = _number(7, least=0.001)
    """A multipart upload that nobody touched for so long is aborted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """``[log]``: the access log."""

    access: str = "stderr"
    """``stderr``, ``off`` or the path of a file to append to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration that was checked."""

    server: ServerConfig = ServerConfig()
    auth: AuthConfig = AuthConfig()
    users: tuple[UserConfig, ...] = ()
    store: StoreConfig = StoreConfig()
    log: LogConfig = LogConfig()


def load(path: Path | None, overrides: dict[str, dict[str, object]] | None = None) -> Config:
    """Read a configuration file, lay the command line's settings over it, and check the whole.

    Args:
        path: the TOML file, or None for the defaults alone.
        overrides: section -> key -> value, as the file would hold them.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or says something that is not allowed.
    """
    tables: dict[str, Any] = {}
    if path is not None:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from error
    for section, values in (overrides or {}).items():
        table = tables.setdefault(section, {})
        if isinstance(table, dict):
            table.update(values)
    config = parse(tables)
    check(config)
    return config


def parse(tables: dict[str, Any]) -> Config:
    """Turn the tables of a TOML document into a ``Config``, each value checked by itself.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type or out of its limits.
    """
    known = {each.name: each for each in dataclasses.fields(Config)}
    _refuse_unknown(tables, set(known), "")
    users = tables.get("users", [])
    if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
        raise ConfigError(f"users = {users!r}: must be an array of tables, [[users]]")
    return Config(
        server=_section(ServerConfig, tables, "server"),
        auth=_section(AuthConfig, tables, "auth"),
        users=tuple(_table(UserConfig, user, f"users[{index}]") for index, user in enumerate(users)),
        store=_section(StoreConfig, tables, "store"),
        log=_section(LogConfig, tables, "log"),
    )


def check(config: Config) -> None:
    """Check what concerns several keys together.

    Raises:
        ConfigError: the keys contradict each other.
    """
    host, _ = split_address(config.server.listen)
    _check_domains(config.server.domains)
    _check_users(config)
    if config.auth.mode == "open" and not config.auth.allow_open_network and not is_loopback(host):
        raise ConfigError(
            f'server.listen = "{config.server.listen}": in open mode anyone who can connect owns the data, so only a '
            'loopback address is allowed; set auth.mode = "signature" and [[users]], or auth.allow_open_network = true'
        )


def split_address(listen: str) -> tuple[str, int]:
    """Split ``HOST:PORT`` (``[HOST]:PORT`` for IPv6).

    Raises:
        ConfigError: it is not of that form.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):(\d{1,5})", listen)
    if match is None or int(match[3]) > 65535:
        raise ConfigError(f'server.listen = "{listen}": must be HOST:PORT, for example 127.0.0.1:39999 or [::1]:39999')
    return match[1] or match[2], int(match[3])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_domains(domains: tuple[str, ...]) -> None:
    for domain in domains:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", domain):
            raise ConfigError(f'server.domains = "{domain}": must be a lower-case domain name without a port')


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


def _section(kind: type[_T], tables: dict[str, Any], name: str) -> _T:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{name} = {table!r}: must be a table, [{name}]")
    return _table(kind, table, name)


def _table(kind: type[_T], table: dict[str, Any], path: str) -> _T:
    fields = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a dataclass, always
    hints = get_type_hints(kind)
    _refuse_unknown(table, set(fields), f"{path}.")
    values = {
        name: _value(f"{path}.{name}", value, hints[name], fields[name].metadata.get("limit"))
        for name, value in table.items()
    }
    for name, each in fields.items():
        if each.default is dataclasses.MISSING and name not in values:
            raise ConfigError(f"{path}.{name}: is missing")
    return kind(**values)


def _refuse_unknown(table: dict[str, Any], known: set[str], path: str) -> None:
    for name in table:
        if name not in known:
            raise ConfigError(f"{path}{name}: is not a key; allowed are {', '.join(sorted(known))}")


def _value(path: str, value: object, hint: Any, limit: Limit | None) -> object:  # noqa: ANN401 (a type hint)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise ConfigError(f"{path} = {_shown(path, value)}: must be one of {', '.join(map(repr, choices))}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{path} = {value!r}: must be an array of strings")
        return tuple(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{path} = {_shown(path, value)}: must be {_NAMES[hint]}")
    if limit is not None and isinstance(value, int | float) and not limit.least <= value <= limit.most:
        raise ConfigError(f"{path} = {value}: must be from {limit.least:g} to {limit.most:g}")
    return value


def _shown(path: str, value: object) -> str:
    return "(not shown)" if path.endswith("secret_key") else repr(value)


_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
