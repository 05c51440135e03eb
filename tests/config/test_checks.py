from pathlib import Path

import pytest

from s3proxy.config import ConfigError, check, parse

USER = {"name": "ann", "access_key": "AKANN", "secret_key": "a secret of ann"}
SIGNED = {"users": [USER], "auth": {"mode": "signature"}}
S3 = {"name": "far", "kind": "s3"}
TIER = {"directory": "/dev/shm/tier", "size": "64 MiB"}


def wrong(tables: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        check(parse(tables))
    return str(caught.value)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"server": {"listen": "here"}}, ["server.listen", '"here"', "HOST:PORT"]),
        ({"server": {"domains": ["a:80"]}}, ["server.domains", "a:80", "without a port"]),
        ({"auth": {"mode": "signature"}}, ["auth.mode", "[[users]]", "s3proxy credentials new"]),
        ({"server": {"listen": "0.0.0.0:1"}}, ["server.listen", "0.0.0.0:1", "auth.allow_open_network"]),
        ({"server": {"trusted_proxies": ["10.0.0.0/8", "lb"]}}, ["server.trusted_proxies", '"lb"', "10.1.0.0/16"]),
        ({"server": {"trusted_proxies": ["10.1.2.3/8"]}}, ["server.trusted_proxies", "10.1.2.3/8", "host bits"]),
        ({"server": {"proxy_protocol": True}}, ["server.proxy_protocol", "server.trusted_proxies"]),
        ({"users": [USER, USER]}, ["users[1].access_key", "AKANN", "two users"]),
        ({"users": [USER | {"access_key": "a b"}]}, ["users[0].access_key", "a b"]),
    ],
)
def test_who_may_call_is_checked(tables: dict[str, object], says: list[str]) -> None:
    for words in says:
        assert words in wrong(tables)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"certificate_file": "a"}, ["tls.key_file", "tls.certificate_file"]),
        ({"key_file": "a"}, ["tls.certificate_file", "tls.key_file"]),
        ({"client_certificate": "required"}, ["tls.client_certificate", '"required"', "tls.certificate_file"]),
        ({"certificate_file": "a", "key_file": "b", "client_certificate": "optional"}, ["tls.client_ca_file"]),
        # Whoever forgets to ask for certificates must not believe that they are checked.
        (
            {"certificate_file": "a", "key_file": "b", "client_ca_file": "c"},
            ["tls.client_ca_file", '"c"', '"required"'],
        ),
        ({"minimum_version": "1.1"}, ["tls.minimum_version", "'1.1'", "'1.2', '1.3'"]),
        ({"client_certificate": "yes"}, ["tls.client_certificate", "'yes'", "'optional', 'required'"]),
    ],
)
def test_tls_is_checked(table: dict[str, str], says: list[str]) -> None:
    for words in says:
        assert words in wrong({"tls": table})


def test_short_secret_is_refused_and_not_shown() -> None:
    # RustFS GHSA-r54g-49rx-98cr: secrets in logs.
    said = wrong({"users": [USER | {"secret_key": "sh0rt!"}]})
    assert "users[0].secret_key" in said
    assert "sh0rt!" not in said


@pytest.mark.parametrize(
    ("admin", "says"),
    [
        ({"listen": "here"}, ["admin.listen", '"here"', "HOST:PORT"]),
        ({"listen": "0.0.0.0:39990"}, ["admin.listen", "0.0.0.0:39990", "admin.token"]),
        ({"token": "s3cret"}, ["admin.token", "16 to 512"]),
        ({"token": "s3cret with a blank in it"}, ["admin.token", "no blank"]),
        ({"token": 53}, ["admin.token", "a string"]),
        ({"hosts": ["node:39990"]}, ["admin.hosts", "node:39990", "without a port"]),
    ],
)
def test_admin_plane_is_checked_and_its_token_not_shown(admin: dict[str, object], says: list[str]) -> None:
    said = wrong({"admin": admin})
    for words in says:
        assert words in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "admin", [{"listen": ""}, {"listen": "[::1]:0"}, {"listen": "0.0.0.0:39990", "token": "0123456789abcdef"}]
)
def test_admin_plane_on_loopback_or_with_a_token_is_allowed(admin: dict[str, object]) -> None:
    check(parse({"admin": admin}))


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ({"name": "default"}, ["stores[0].name", "default", "[store]"]),
        ({"name": "a b"}, ["stores[0].name", "a b", "A-Z"]),
        ({"endpoint": "rgw:7480"}, ["stores[0].endpoint", "rgw:7480", "http://HOST"]),
        ({"endpoint": "http://rgw:99999"}, ["stores[0].endpoint", "99999"]),
        ({"endpoint": "http://rgw/path?query"}, ["stores[0].endpoint", "?query"]),
        ({"endpoint": "ftp://rgw"}, ["stores[0].endpoint", "ftp"]),
        ({"access_key": "AK"}, ["stores[0].secret_key", "is missing", "botocore"]),
        ({"secret_key": "hidden-away"}, ["stores[0].access_key", "is missing"]),
        ({"access_key": "AK", "secret_key": "s", "anonymous": True}, ["stores[0].anonymous", "access_key"]),
    ],
)
def test_store_is_checked(store: dict[str, object], says: list[str]) -> None:
    said = wrong({"stores": [S3 | store]})
    for words in says:
        assert words in said
    assert "hidden-away" not in said


def test_password_in_an_endpoint_is_refused_and_not_shown() -> None:
    # RustFS GHSA-r54g-49rx-98cr.
    said = wrong({"store": {"kind": "s3", "endpoint": "http://me:hunter2@rgw"}})
    assert "store.endpoint" in said
    assert "hunter2" not in said


def test_two_stores_of_one_name_are_refused() -> None:
    assert "two stores" in wrong({"stores": [S3, S3]})


@pytest.mark.parametrize(
    ("mounts", "says"),
    [
        ([{"bucket": "a", "store": "near"}], ["mount[0].store", "near", "default, far"]),
        ([{"bucket": "a"}, {"bucket": "a", "store": "far"}], ["mount[1].bucket", '"a"', "mounted twice"]),
        ([{"bucket": "A B"}], ["mount[0].bucket", "A B", "pattern"]),
        ([{"bucket": "a?"}], ["mount[0].bucket", "a?"]),
        ([{"bucket": "a*", "target_bucket": "b"}], ["mount[0].target_bucket", '"b"', "a*"]),
        ([{"bucket": "a", "target_bucket": "b/c"}], ["mount[0].target_bucket", "b/c"]),
        ([{"bucket": "a", "prefix": "é" * 300}], ["mount[0].prefix", "512 bytes"]),
        ([{"bucket": "a", "metadata_ttl_seconds": -0.5}], ["mount[0].metadata_ttl_seconds", "-0.5"]),
    ],
)
def test_mount_is_checked(mounts: object, says: list[str]) -> None:
    said = wrong({"stores": [S3], "mount": mounts})
    for words in says:
        assert words in said


@pytest.mark.parametrize(
    ("cache", "says"),
    [
        ({"block_size": 1_000_000}, ["cache.block_size", "1000000", "4096"]),
        ({"fragment_size": "12 KiB"}, ["cache.fragment_size", "12288", "divide", "4194304"]),
        ({"max_fetch_bytes": "1 MiB"}, ["cache.max_fetch_bytes", "1048576", "4194304"]),
        ({"low_watermark": 0.95}, ["cache.low_watermark", "0.95", "high_watermark"]),
    ],
)
def test_cache_is_checked(cache: dict[str, object], says: list[str]) -> None:
    for words in says:
        assert words in wrong({"cache": cache})


@pytest.mark.parametrize(
    ("tier", "says"),
    [
        ({"directory": "here"}, ["memory_tier.directory", "here", "absolute"]),
        ({"size": "1 MiB"}, ["memory_tier.size", "1048576", "16777216", "4 blocks"]),
        ({"directory": "/srv/s3/tier"}, ["memory_tier.directory", "/srv/s3/tier", "store.root", "apart"]),
        ({"directory": "/srv"}, ["memory_tier.directory", "/srv", "store.root"]),
    ],
)
def test_tier_is_checked(tier: dict[str, object], says: list[str]) -> None:
    said = wrong({"store": {"root": "/srv/s3"}, "memory_tier": TIER | tier})
    for words in says:
        assert words in said


def test_tier_within_a_store_through_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "root")
    tables: dict[str, object] = {
        "stores": [{"name": "near", "root": str(tmp_path / "root")}],
        "disk_tier": {"directory": str(tmp_path / "link" / "tier")},
    }
    assert "stores[0].root" in wrong(tables)


def test_tier_within_the_other_is_refused() -> None:
    assert "disk_tier.directory" in wrong({"memory_tier": TIER, "disk_tier": {"directory": "/dev/shm/tier/disk"}})


def test_tier_that_is_off_is_not_checked() -> None:
    check(parse({"memory_tier": {"size": 1}}))


def test_whole_configuration_is_accepted() -> None:
    check(
        parse(
            SIGNED
            | {
                "server": {"listen": "0.0.0.0:1"},
                "store": {"kind": "s3"},
                "stores": [S3 | {"endpoint": "https://[::1]:7480/"}, {"name": "near", "root": "/srv/s3"}],
                "mount": [{"bucket": "lake", "target_bucket": "Lake_1"}, {"bucket": "*", "store": "near"}],
                "memory_tier": TIER,
                "disk_tier": {"directory": "/var/cache/s3proxy"},
            }
        )
    )


# Logs


@pytest.mark.parametrize("key", ["access", "audit"])
def test_log_that_goes_nowhere_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf'log\.{key} = "": must be'):
        check(parse({"log": {key: ""}}))


def test_audit_log_in_the_file_of_the_access_log_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'log\.audit = "/l": must be another file than log\.access'):
        check(parse({"log": {"access": "/l", "audit": "/l"}}))


@pytest.mark.parametrize("where", ["stderr", "off"])
def test_both_logs_on_standard_error_or_off_are_fine(where: str) -> None:
    check(parse({"log": {"access": where, "audit": where}}))
