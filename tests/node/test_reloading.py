from pathlib import Path

import pytest

from s3proxy.node.failures import StartError
from s3proxy.node.reloading import check_reload
from tests.node.configuring import configured, tier


def test_reload_may_change_what_processes_share_nothing_of(tmp_path: Path) -> None:
    before = configured(tmp_path / "root")
    after = configured(tmp_path / "root", server={"drain_seconds": 5, "region": "eu-1"}, log={"access": "off"})
    check_reload(before, after)


@pytest.mark.parametrize(
    ("tables", "name"),
    [
        ({"server": {"listen": "127.0.0.1:1"}}, "server.listen"),
        ({"server": {"workers": 7}}, "server.workers"),
        ({"admin": {"listen": ""}}, "admin.listen"),
        ({"admin": {"socket": "/run/other.sock"}}, "admin.socket"),
        ({"cache": {"block_size": "8 MiB"}}, "cache.block_size"),
        ({"cache": {"fragment_size": "128 KiB"}}, "cache.fragment_size"),
        ({"cache": {"metadata_entries": 1024}}, "cache.metadata_entries"),
        ({"memory_tier": tier(Path("/somewhere"))}, "memory_tier.directory"),
        ({"disk_tier": tier(Path("/somewhere"))}, "disk_tier.directory"),
    ],
)
def test_reload_of_what_cannot_change_is_refused_by_name(tmp_path: Path, tables: dict[str, object], name: str) -> None:
    with pytest.raises(StartError, match=rf"^{name} cannot change while the node runs"):
        check_reload(configured(tmp_path / "root"), configured(tmp_path / "root", **tables))


def test_reload_with_a_certificate_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    tls = {"certificate_file": str(tmp_path / "absent.pem"), "key_file": str(tmp_path / "absent.key")}
    with pytest.raises(StartError, match=r"tls\.certificate_file"):
        check_reload(configured(tmp_path / "root"), configured(tmp_path / "root", tls=tls))
