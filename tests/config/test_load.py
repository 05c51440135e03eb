from pathlib import Path

import pytest

from s3proxy import config
from s3proxy.config import ConfigError


def test_load_without_a_file_gives_the_documented_defaults() -> None:
    loaded = config.load(None)
    assert loaded.server.listen == "127.0.0.1:39999"
    assert loaded.store.root == "s3proxy-data"
    assert loaded.store.fsync
    assert loaded.auth.mode == "open"
    assert (loaded.memory_tier.directory, loaded.disk_tier.directory) == ("", "")


def test_load_reads_every_section(tmp_path: Path) -> None:
    file = tmp_path / "s3proxy.toml"
    file.write_text(
        """
        [server]
        listen = "0.0.0.0:39999"
        domains = ["s3.example.com"]
        drain_seconds = 5
        workers = 0
        [auth]
        mode = "signature"
        [[users]]
        name = "ann"
        access_key = "AKANN"
        secret_key = "a secret of ann"
        [store]
        root = "/srv/s3"
        fsync = false
        [[stores]]
        name = "ceph"
        kind = "s3"
        endpoint = "http://rgw:7480"
        [[stores]]
        name = "aws"
        kind = "s3"
        anonymous = true
        [[mount]]
        bucket = "lake"
        store = "ceph"
        target_bucket = "Lake_1"
        prefix = "raw/"
        read_only = true
        metadata_ttl_seconds = inf
        [[mount]]
        bucket = "open-*"
        store = "aws"
        [cache]
        block_size = "1 MiB"
        [memory_tier]
        directory = "/dev/shm/s3proxy"
        size = "2GiB"
        [disk_tier]
        size = "1.5 GB"
        [limits]
        read_bytes_per_second = "1GB"
        [admin]
        socket = "/run/s3proxy.sock"
        [log]
        access = "off"
        """
    )
    loaded = config.load(file, {"store": {"root": "/elsewhere"}})
    assert loaded.server.domains == ("s3.example.com",)
    assert loaded.server.drain_seconds == 5.0
    assert loaded.users[0].access_key == "AKANN"
    assert loaded.store.root == "/elsewhere"
    assert [store.name for store in loaded.stores] == ["ceph", "aws"]
    assert loaded.mount[0].metadata_ttl_seconds == float("inf")
    assert loaded.cache.block_size == 2**20
    assert (loaded.memory_tier.size, loaded.disk_tier.size) == (2 * 2**30, 1_500_000_000)
    assert loaded.limits.read_bytes_per_second == 10**9
    assert loaded.log.access == "off"


def test_load_lays_settings_over_a_section_that_the_file_does_not_have() -> None:
    assert config.load(None, {"server": {"workers": 3}}).server.workers == 3


def test_load_of_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: cannot be read: No such file"):
        config.load(tmp_path / "no.toml")


def test_load_of_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[server\n")
    with pytest.raises(ConfigError, match=r"bad\.toml: is not TOML: .*line 1"):
        config.load(file)


def test_load_checks_what_it_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allow_open_network"):
        config.load(None, {"server": {"listen": "0.0.0.0:1"}})
