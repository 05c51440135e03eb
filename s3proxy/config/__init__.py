"""The configuration: one TOML file into frozen dataclasses, every key with a default, every mistake named.

Alone in reading configuration files. Imports nothing of the project, so that every tool can read a configuration.
"""

import tomllib
from pathlib import Path
from typing import Any

from s3proxy.config.addresses import is_loopback, split_address
from s3proxy.config.checks import check
from s3proxy.config.errors import ConfigError
from s3proxy.config.sections import (
    DEFAULT_STORE,
    AdminConfig,
    AuthConfig,
    CacheConfig,
    Config,
    DiskTierConfig,
    LimitsConfig,
    LogConfig,
    MemoryTierConfig,
    MountConfig,
    NamedStoreConfig,
    ServerConfig,
    StoreConfig,
    TlsConfig,
    UserConfig,
)
from s3proxy.config.tables import dump, parse, undump

__all__ = [
    "DEFAULT_STORE",
    "AdminConfig",
    "AuthConfig",
    "CacheConfig",
    "Config",
    "ConfigError",
    "DiskTierConfig",
    "LimitsConfig",
    "LogConfig",
    "MemoryTierConfig",
    "MountConfig",
    "NamedStoreConfig",
    "ServerConfig",
    "StoreConfig",
    "TlsConfig",
    "UserConfig",
    "check",
    "dump",
    "is_loopback",
    "load",
    "parse",
    "split_address",
    "undump",
]


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
