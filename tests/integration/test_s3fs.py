import random
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
import s3fs

from tests.integration.assertions import S3Client, keys_of, read
from tests.integration.watched import ANN, WatchedServer

Files: TypeAlias = Any

CONTENT = random.Random(6).randbytes(200_000)


@pytest.fixture
def files(server: WatchedServer) -> Iterator[Files]:
    """The file system of s3fs with its default settings, but for the endpoint, path style and the keys."""
    yield s3fs.S3FileSystem(
        endpoint_url=server.url,
        key=ANN.access_key,
        secret=ANN.secret_key,
        config_kwargs={"s3": {"addressing_style": "path"}},
        use_listings_cache=False,  # other clients write beside it in these tests
    )
    s3fs.S3FileSystem.clear_instance_cache()


def test_write_and_read_give_the_same_bytes(files: Files, bucket: str) -> None:
    with files.open(f"{bucket}/dir/data", "wb") as file:
        file.write(CONTENT)
    assert files.cat_file(f"{bucket}/dir/data") == CONTENT
    with files.open(f"{bucket}/dir/data", "rb") as file:
        file.seek(100_000)
        assert file.read(10) == CONTENT[100_000:100_010]


def test_large_file_is_written_in_parts(files: Files, s3: S3Client, bucket: str) -> None:
    content = CONTENT * 300
    with files.open(f"{bucket}/large", "wb", block_size=5 * 1024 * 1024) as file:
        for start in range(0, len(content), 1_000_000):
            file.write(content[start : start + 1_000_000])
    assert "-" in s3.head_object(Bucket=bucket, Key="large")["ETag"]
    assert read(s3, bucket, "large") == content


def test_names_appear_as_in_a_file_system(files: Files, bucket: str) -> None:
    files.pipe({f"{bucket}/{key}": b"12345" for key in ("a", "dir/b", "dir/sub/c")})
    assert files.ls(bucket) == [f"{bucket}/a", f"{bucket}/dir"]
    assert files.find(bucket) == [f"{bucket}/a", f"{bucket}/dir/b", f"{bucket}/dir/sub/c"]
    assert files.glob(f"{bucket}/d*/*") == [f"{bucket}/dir/b", f"{bucket}/dir/sub"]
    assert (files.isdir(f"{bucket}/dir"), files.isfile(f"{bucket}/a"), files.exists(f"{bucket}/z")) == (
        True,
        True,
        False,
    )
    assert files.info(f"{bucket}/a")["size"] == 5
    assert files.du(bucket) == 15


def test_bulk_reads_take_ranges(files: Files, bucket: str) -> None:
    files.pipe_file(f"{bucket}/data", CONTENT)
    paths = [f"{bucket}/data"] * 3
    assert files.cat_ranges(paths, [0, 1000, 199_990], [10, 1010, 200_000]) == [
        CONTENT[:10], CONTENT[1000:1010], CONTENT[-10:]
    ]  # fmt: skip


def test_copy_move_and_remove(files: Files, s3: S3Client, bucket: str) -> None:
    files.pipe({f"{bucket}/dir/{name}": name.encode() for name in "abc"})
    files.copy(f"{bucket}/dir/a", f"{bucket}/copy")
    files.mv(f"{bucket}/dir/b", f"{bucket}/moved")
    assert files.cat_file(f"{bucket}/copy") + files.cat_file(f"{bucket}/moved") == b"ab"
    files.rm(f"{bucket}/dir", recursive=True)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["copy", "moved"]


def test_touch_and_exclusive_creation(files: Files, bucket: str) -> None:
    files.touch(f"{bucket}/empty")
    assert files.info(f"{bucket}/empty")["size"] == 0
    with pytest.raises(FileExistsError):
        files.pipe_file(f"{bucket}/empty", b"x", mode="create")


def test_missing_file_is_file_not_found(files: Files, bucket: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.cat_file(f"{bucket}/absent")
    with pytest.raises(FileNotFoundError):
        files.ls(f"{bucket}/absent")


def test_metadata_and_tags(files: Files, s3: S3Client, bucket: str) -> None:
    files.pipe_file(f"{bucket}/data", b"x")
    files.setxattr(f"{bucket}/data", color="blue")
    assert files.metadata(f"{bucket}/data") == {"color": "blue"}
    files.put_tags(f"{bucket}/data", {"a": "b"})
    assert files.get_tags(f"{bucket}/data") == {"a": "b"}


def test_buckets_are_made_and_removed(files: Files, bucket: str) -> None:
    files.mkdir(f"{bucket}-2")
    assert f"{bucket}-2" in files.ls("")
    files.rmdir(f"{bucket}-2")
    assert not files.exists(f"{bucket}-2")
