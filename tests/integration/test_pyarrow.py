import random
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from pyarrow.fs import FileSelector, FileType, S3FileSystem

from tests.integration.assertions import S3Client, keys_of, read
from tests.integration.watched import ANN, WatchedServer

Files: TypeAlias = Any
Table: TypeAlias = Any

ROWS = 30_000


@pytest.fixture
def files(server: WatchedServer) -> Files:
    """The file system of pyarrow with its default settings, but for the endpoint and the keys."""
    return S3FileSystem(
        access_key=ANN.access_key, secret_key=ANN.secret_key, endpoint_override=server.address, scheme="http"
    )


@pytest.fixture(scope="module")
def table() -> Table:
    numbers = random.Random(7)
    return pa.table(
        {
            "year": [2020 + row % 3 for row in range(ROWS)],
            "country": [("de", "fr", "a b/ü")[row % 7 % 3] for row in range(ROWS)],
            "id": list(range(ROWS)),
            "value": [numbers.random() for _ in range(ROWS)],
        }
    )


def test_partitioned_dataset_is_written_and_read_back_with_filters(files: Files, bucket: str, table: Table) -> None:
    pyarrow.dataset.write_dataset(
        table, f"{bucket}/sales", filesystem=files, format="parquet", partitioning=["year", "country"],
        partitioning_flavor="hive",
    )  # fmt: skip
    dataset = pyarrow.dataset.dataset(f"{bucket}/sales", filesystem=files, partitioning="hive")
    assert len(dataset.files) == 9
    assert dataset.count_rows() == ROWS
    field = pyarrow.dataset.field
    found = dataset.to_table(
        columns=["id", "value"],
        filter=(field("year") == 2021) & (field("country") == "a b/ü") & (field("id") < 1000),
    )
    rows = zip(*(table[name].to_pylist() for name in ("year", "country", "id", "value")), strict=True)
    expected = {
        number: value for year, country, number, value in rows if (year, country) == (2021, "a b/ü") and number < 1000
    }
    assert dict(zip(found["id"].to_pylist(), found["value"].to_pylist(), strict=True)) == expected


def test_parquet_file_is_read_by_columns_and_row_groups(files: Files, bucket: str, table: Table) -> None:
    pyarrow.parquet.write_table(table, f"{bucket}/table.parquet", filesystem=files, row_group_size=10_000)
    with pyarrow.parquet.ParquetFile(f"{bucket}/table.parquet", filesystem=files) as file:
        assert file.metadata.num_row_groups == 3
        assert file.read_row_group(1, columns=["id"])["id"].to_pylist() == list(range(10_000, 20_000))
    assert pyarrow.parquet.read_table(f"{bucket}/table.parquet", filesystem=files).equals(table)


@pytest.mark.parametrize("size", [0, 1, 10 * 1024 * 1024, 25 * 1024 * 1024 + 3])
def test_output_stream_of_any_size_gives_the_same_bytes(files: Files, s3: S3Client, bucket: str, size: int) -> None:
    # It uploads its parts in chunked transfer coding, without a Content-Length.
    content = random.Random(size).randbytes(size)
    with files.open_output_stream(
        f"{bucket}/data", metadata={"Content-Type": "text/plain", "origin": "a test"}
    ) as stream:
        for start in range(0, size, 3_000_000):
            stream.write(content[start : start + 3_000_000])
    assert read(s3, bucket, "data") == content
    head = s3.head_object(Bucket=bucket, Key="data")
    assert head["ContentType"] == "text/plain"
    with files.open_input_file(f"{bucket}/data") as file:
        assert file.size() == size
        assert file.read_at(100, max(0, size - 50)) == content[-50:]


def test_object_appears_only_when_its_stream_is_closed(files: Files, s3: S3Client, bucket: str) -> None:
    with files.open_output_stream(f"{bucket}/data") as stream:
        stream.write(bytes(11 * 1024 * 1024))
        assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["data"]


def test_directories_are_made_listed_and_deleted(files: Files, s3: S3Client, bucket: str) -> None:
    files.create_dir(f"{bucket}/dir/sub", recursive=True)
    with files.open_output_stream(f"{bucket}/dir/file") as stream:
        stream.write(b"12345")
    infos = files.get_file_info(FileSelector(bucket, recursive=True))
    assert sorted((info.path.removeprefix(f"{bucket}/"), info.type, info.size) for info in infos) == [
        ("dir", FileType.Directory, None),
        ("dir/file", FileType.File, 5),
        ("dir/sub", FileType.Directory, None),
    ]
    files.delete_dir(f"{bucket}/dir")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    assert files.get_file_info(f"{bucket}/dir").type == FileType.NotFound


def test_copy_and_move(files: Files, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b+ü", Body=b"content")
    files.copy_file(f"{bucket}/a b+ü", f"{bucket}/copy")
    files.move(f"{bucket}/a b+ü", f"{bucket}/moved")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["copy", "moved"]
    assert read(s3, bucket, "moved") == b"content"


def test_missing_file_is_file_not_found(files: Files, bucket: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.open_input_file(f"{bucket}/absent")


def test_dataset_that_a_file_system_program_wrote_is_read(
    files: Files, bucket: str, directory: Path, table: Table
) -> None:
    (directory / "part=1").mkdir()
    pyarrow.parquet.write_table(table.slice(0, 100), directory / "part=1" / "0.parquet")
    dataset = pyarrow.dataset.dataset(bucket, filesystem=files, partitioning="hive")
    assert dataset.to_table(filter=pyarrow.dataset.field("part") == 1).num_rows == 100
