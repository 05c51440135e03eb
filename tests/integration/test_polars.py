from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.integration.assertions import S3Client, keys_of
from tests.integration.watched import ANN, WatchedServer

FRAME = pl.DataFrame({"id": range(50_000), "group": [f"g{row % 5}" for row in range(50_000)]}).with_columns(
    value=pl.col("id") * 0.5
)


@pytest.fixture
def options(server: WatchedServer) -> dict[str, str]:
    """The storage options of polars: the endpoint and the keys."""
    return {
        "aws_endpoint_url": server.url,
        "aws_access_key_id": ANN.access_key,
        "aws_secret_access_key": ANN.secret_key,
    }


def test_parquet_file_is_written_and_scanned_with_a_filter(options: dict[str, str], bucket: str) -> None:
    path = f"s3://{bucket}/frame.parquet"
    FRAME.write_parquet(path, storage_options=options, row_group_size=5000)
    found = (
        pl.scan_parquet(path, storage_options=options)
        .filter((pl.col("id") >= 12_000) & (pl.col("group") == "g3"))
        .select("value")
        .collect()
    )
    assert_frame_equal(found, FRAME.filter((pl.col("id") >= 12_000) & (pl.col("group") == "g3")).select("value"))


def test_whole_file_comes_back_as_it_was(options: dict[str, str], bucket: str) -> None:
    path = f"s3://{bucket}/a b/ü+.parquet"
    FRAME.write_parquet(path, storage_options=options)
    assert_frame_equal(pl.read_parquet(path, storage_options=options), FRAME)


def test_partitioned_files_are_written_and_scanned_as_one(options: dict[str, str], s3: S3Client, bucket: str) -> None:
    for group in FRAME["group"].unique():
        path = f"s3://{bucket}/frames/group={group}/0.parquet"
        FRAME.filter(pl.col("group") == group).drop("group").write_parquet(path, storage_options=options)
    assert len(keys_of(s3.list_objects_v2(Bucket=bucket))) == 5
    frames = pl.scan_parquet(f"s3://{bucket}/frames/**/*.parquet", storage_options=options, hive_partitioning=True)
    found = frames.filter(pl.col("group") == "g2").select("id", "group", "value").collect()
    assert_frame_equal(found, FRAME.filter(pl.col("group") == "g2"), check_row_order=False)


def test_large_frame_streams_up_in_parts(options: dict[str, str], s3: S3Client, bucket: str) -> None:
    large = pl.DataFrame({"number": pl.int_range(0, 3_000_000, eager=True).hash()})
    pl.LazyFrame(large).sink_parquet(
        f"s3://{bucket}/large.parquet", storage_options=options, compression="uncompressed"
    )
    assert s3.head_object(Bucket=bucket, Key="large.parquet")["ContentLength"] > 16 * 1024 * 1024
    scanned = pl.scan_parquet(f"s3://{bucket}/large.parquet", storage_options=options).select(pl.col("number").sum())
    assert scanned.collect().item() == large["number"].sum()


def test_csv_and_ndjson_are_read(options: dict[str, str], bucket: str, directory: Path) -> None:
    FRAME.head(100).write_csv(directory / "frame.csv")
    FRAME.head(100).write_ndjson(directory / "frame.ndjson")
    assert_frame_equal(pl.scan_csv(f"s3://{bucket}/frame.csv", storage_options=options).collect(), FRAME.head(100))
    assert_frame_equal(
        pl.scan_ndjson(f"s3://{bucket}/frame.ndjson", storage_options=options).collect(), FRAME.head(100)
    )


def test_missing_file_is_an_error(options: dict[str, str], bucket: str) -> None:
    with pytest.raises((FileNotFoundError, OSError, pl.exceptions.ComputeError)):
        pl.read_parquet(f"s3://{bucket}/absent.parquet", storage_options=options)
