"""What the file system does by itself."""

from pathlib import Path

from bench.device import durable_files_per_second, fsync_per_second, synced_write_mb_per_second


def test_probes_measure_something_and_leave_nothing(tmp_path: Path) -> None:
    assert fsync_per_second(tmp_path, seconds=0.05) > 0
    assert durable_files_per_second(tmp_path, writers=4, seconds=0.05) > 0
    assert synced_write_mb_per_second(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
