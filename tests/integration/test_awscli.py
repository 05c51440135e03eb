import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.assertions import S3Client, keys_of, read
from tests.integration.watched import WatchedServer, client_environment

MIB = 1024 * 1024

Aws = Callable[..., str]


@pytest.fixture
def aws(server: WatchedServer, tmp_path: Path) -> Aws:
    """Run ``aws`` with the endpoint and the keys; gives what it printed."""
    beside_python = Path(sys.executable).parent / "aws"
    program = str(beside_python) if os.access(beside_python, os.X_OK) else shutil.which("aws")
    if program is None:
        pytest.skip("awscli is not installed")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], env=client_environment(server.url), cwd=tmp_path, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_cp_of_64_mib_goes_up_and_down_in_parts(aws: Aws, s3: S3Client, bucket: str, tmp_path: Path) -> None:
    content = random.Random(5).randbytes(64 * MIB)
    (tmp_path / "up").write_bytes(content)
    aws("s3", "cp", "--only-show-errors", "up", f"s3://{bucket}/large")
    aws("s3", "cp", "--only-show-errors", f"s3://{bucket}/large", "down")
    assert hashlib.sha256((tmp_path / "down").read_bytes()).digest() == hashlib.sha256(content).digest()
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-8"')


def test_mb_ls_and_rb_make_list_and_remove_a_bucket(aws: Aws, bucket: str) -> None:
    name = f"{bucket}-cli"
    aws("s3", "mb", f"s3://{name}")
    assert name in aws("s3", "ls")
    aws("s3", "rb", f"s3://{name}")
    assert name not in aws("s3", "ls")


def test_ls_shows_directories_files_and_sizes(aws: Aws, s3: S3Client, bucket: str) -> None:
    for key in ("a.txt", "dir/b.txt", "dir/sub/c.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"12345")
    assert [line.split()[-2:] for line in aws("s3", "ls", f"s3://{bucket}/").splitlines()] == [
        ["PRE", "dir/"],
        ["5", "a.txt"],
    ]
    listed = aws("s3", "ls", "--recursive", "--summarize", f"s3://{bucket}")
    assert "dir/sub/c.txt" in listed
    assert "Total Objects: 3" in listed


def test_sync_copies_what_differs_both_ways(aws: Aws, s3: S3Client, bucket: str, tmp_path: Path) -> None:
    names = ["one.txt", "sub/two ü.txt", "sub/deep/three+.txt"]
    for name in names:
        (tmp_path / "local" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "local" / name).write_text(name)
        os.utime(tmp_path / "local" / name, (0, 0))  # S3 tells whole seconds: what is younger is taken for changed
    aws("s3", "sync", "local", f"s3://{bucket}/tree")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == sorted(f"tree/{name}" for name in names)
    assert aws("s3", "sync", "local", f"s3://{bucket}/tree") == ""

    (tmp_path / "local" / "one.txt").unlink()
    s3.put_object(Bucket=bucket, Key="tree/new.txt", Body=b"new")
    aws("s3", "sync", "--delete", f"s3://{bucket}/tree", "local")
    found = sorted(str(each.relative_to(tmp_path / "local")) for each in (tmp_path / "local").rglob("*.txt"))
    assert found == sorted([*names, "new.txt"])
    aws("s3", "sync", f"s3://{bucket}/tree", f"s3://{bucket}/copy")
    assert read(s3, bucket, f"copy/{names[1]}") == names[1].encode()


def test_rm_recursive_empties_a_prefix(aws: Aws, s3: S3Client, bucket: str) -> None:
    for key in ("p/1", "p/q/2", "p/", "keep"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    aws("s3", "rm", "--recursive", f"s3://{bucket}/p/")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["keep"]


def test_mv_and_streams_move_and_pipe(aws: Aws, s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"content")
    aws("s3", "mv", f"s3://{bucket}/from", f"s3://{bucket}/to")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["to"]
    assert aws("s3", "cp", f"s3://{bucket}/to", "-") == "content"


def test_s3api_calls_answer_in_json(aws: Aws, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    put = json.loads(aws("s3api", "put-object", "--bucket", bucket, "--key", "data", "--body", "file"))
    head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "data", "--checksum-mode", "ENABLED"))
    assert head["ETag"] == put["ETag"]
    checksum = next(name for name in put if name.startswith("Checksum") and name != "ChecksumType")
    assert head[checksum] == put[checksum]
    aws("s3api", "get-object", "--bucket", bucket, "--key", "data", "--range", "bytes=1-3", "part")
    assert (tmp_path / "part").read_bytes() == b"ont"
    listed = json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket, "--max-items", "1"))
    assert [each["Key"] for each in listed["Contents"]] == ["data"]


def test_error_is_told_with_its_code(server: WatchedServer, aws: Aws) -> None:
    with pytest.raises(AssertionError, match=r"\(NoSuchBucket\)"):
        aws("s3", "ls", "s3://no-such-bucket")
