"""What install.sh puts where, in a scratch root; with a package that only says its version."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.wheels import wheel_of_version

SCRIPT = Path(__file__).parents[2] / "deploy" / "install.sh"
MOUNT = "var-cache-private-s3proxy-memory.mount"


def run(root: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DESTDIR": str(root), "PIP_NO_INDEX": "1"}
    return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)


def files(root: Path) -> set[str]:
    """All files but those of releases."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.is_relative_to(root / "opt" / "s3proxy")
    }


def version(root: Path) -> str:
    """What the installed release says."""
    python = root / "opt" / "s3proxy" / "current" / "bin" / "python"
    return subprocess.run([python, "-P", "-m", "s3proxy"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    return {each: wheel_of_version(folder, each) for each in ("1.0", "2.0", "3.0")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, packages: dict[str, Path]) -> Path:
    root = tmp_path_factory.mktemp("root")
    done = run(root, packages["1.0"])
    assert done.returncode == 0, done.stderr
    return root


def test_units_command_and_configuration_are_installed(installed: Path) -> None:
    assert version(installed) == "s3proxy 1.0"
    assert files(installed) >= {
        "etc/s3proxy/s3proxy.toml",
        "usr/local/bin/s3proxy",
        "usr/local/lib/systemd/system/s3proxy.service",
        "usr/local/lib/systemd/system/s3proxy.socket",
        f"usr/local/lib/systemd/system/{MOUNT}",
        "usr/local/lib/sysusers.d/s3proxy.conf",
        "usr/local/share/doc/s3proxy/haproxy.cfg",
    }


def test_configuration_can_be_read_by_nobody_else(installed: Path) -> None:
    assert (installed / "etc/s3proxy/s3proxy.toml").stat().st_mode & 0o777 == 0o640


def test_command_and_unit_start_the_current_release(installed: Path) -> None:
    started = re.compile(r"/opt/s3proxy/current/bin/python -P -m s3proxy ")
    assert started.search((installed / "usr/local/bin/s3proxy").read_text())
    assert started.search((installed / "usr/local/lib/systemd/system/s3proxy.service").read_text())


def test_upgrades_keep_the_configuration_and_one_release_to_go_back_to(
    installed: Path, packages: dict[str, Path]
) -> None:
    (installed / "etc/s3proxy/s3proxy.toml").write_text("# mine\n")
    before = files(installed)
    releases = [(installed / "opt/s3proxy/current").resolve()]
    for number in ("2.0", "3.0"):
        done = run(installed, packages[number])
        assert done.returncode == 0, done.stderr
        assert version(installed) == f"s3proxy {number}"
        releases.append((installed / "opt/s3proxy/current").resolve())
    assert set((installed / "opt/s3proxy/releases").iterdir()) == set(releases[1:])
    assert files(installed) == before
    assert (installed / "etc/s3proxy/s3proxy.toml").read_text() == "# mine\n"


def test_package_that_cannot_be_installed_leaves_the_release_that_is_there(installed: Path, tmp_path: Path) -> None:
    before = version(installed), sorted((installed / "opt/s3proxy/releases").iterdir())
    (tmp_path / "s3proxy-4.0-py3-none-any.whl").write_bytes(b"no archive")
    assert run(installed, tmp_path / "s3proxy-4.0-py3-none-any.whl").returncode != 0
    assert (version(installed), sorted((installed / "opt/s3proxy/releases").iterdir())) == before


def test_unknown_option_is_refused(tmp_path: Path) -> None:
    assert run(tmp_path, "--purge").returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_uninstalling_leaves_the_configuration_alone_and_can_be_repeated(
    tmp_path: Path, packages: dict[str, Path]
) -> None:
    assert run(tmp_path, packages["1.0"]).returncode == 0
    assert run(tmp_path, "--uninstall").returncode == 0
    assert run(tmp_path, "--uninstall").returncode == 0
    assert files(tmp_path) == {"etc/s3proxy/s3proxy.toml"}
    assert not (tmp_path / "opt/s3proxy").exists()
