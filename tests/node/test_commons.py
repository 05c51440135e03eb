import os
from pathlib import Path

import pytest

from s3proxy.node.commons import geometry_of, made
from s3proxy.node.failures import StartError
from tests.node.configuring import MIB, configured, tier
from tests.stores.local.leftovers import open_descriptors


def test_tiers_that_are_configured_are_made_ready_and_let_go_of(tmp_path: Path) -> None:
    config = configured(
        tmp_path / "root", memory_tier=tier(tmp_path / "memory"), disk_tier=tier(tmp_path / "a" / "disk")
    )
    before = open_descriptors()
    with made(config, 2) as commons:
        assert commons.tiers == ("memory", "disk")
        assert commons.table == tmp_path / "memory" / "metadata"
        assert (tmp_path / "a" / "disk").is_dir()
    assert open_descriptors() == before


def test_without_a_tier_nothing_is_made(tmp_path: Path) -> None:
    with made(configured(tmp_path / "root"), 1) as commons:
        assert commons.tiers == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]


def test_without_a_memory_tier_the_table_has_no_name(tmp_path: Path) -> None:
    with made(configured(tmp_path / "root", disk_tier=tier(tmp_path / "disk")), 1) as commons:
        assert commons.table_fd is not None
        commons.table.write_bytes(b"shared")
        assert os.pread(commons.table_fd, 6, 0) == b"shared"
        assert not (tmp_path / "disk" / "metadata").exists()


def test_tier_that_cannot_be_made_is_off_and_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    config = configured(
        tmp_path / "root", memory_tier=tier(tmp_path / "file" / "memory"), disk_tier=tier(tmp_path / "disk")
    )
    with made(config, 1) as commons:
        assert commons.tiers == ("disk",)
    said = capsys.readouterr().err
    assert "the memory tier is off" in said
    assert str(tmp_path / "file") in said


def test_tier_that_could_not_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = configured(tmp_path / "root", disk_tier=tier(tmp_path / "file" / "disk"))
    before = open_descriptors()
    with made(config, 1) as commons:
        directories = commons.directories
        assert "file" in directories.absent["disk"].reason
        assert directories.try_again() == []
        assert not commons.tiers
        assert not commons.locks
        (tmp_path / "file").unlink()
        assert directories.try_again() == ["disk"]
        assert (commons.tiers, len(commons.locks)) == (("disk",), 1)
        assert not directories.absent
        assert directories.try_again() == []
    assert open_descriptors() == before


def test_tier_that_another_node_has_taken_meanwhile_stays_absent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = configured(tmp_path / "root", disk_tier=tier(tmp_path / "file" / "disk"))
    with made(config, 1) as commons:
        (tmp_path / "file").unlink()
        with made(config, 1):
            assert commons.directories.try_again() == []
        assert commons.directories.try_again() == ["disk"]


def test_tier_of_another_node_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", memory_tier=tier(tmp_path / "memory"), disk_tier=tier(tmp_path / "disk"))
    other = configured(tmp_path / "root", disk_tier=tier(tmp_path / "disk"))
    before = open_descriptors()
    with made(other, 1), pytest.raises(StartError, match=r"disk_tier\.directory.*in use"), made(config, 1):
        pass
    assert open_descriptors() == before
    with made(config, 1) as commons:
        assert commons.tiers == ("memory", "disk")


def test_geometry_is_the_configured_one(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", cache={"block_size": "1 MiB", "fragment_size": "128 KiB"})
    geometry = geometry_of(config)
    assert (geometry.block_size, geometry.unit_size) == (MIB, 128 * 1024)
