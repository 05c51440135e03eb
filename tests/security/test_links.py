"""Row 7 of the advisories, in the tree itself: no link that a file-system program leaves is followed out of it."""

import os
import socket

import pytest

from tests.security.site import CANARY, KEPT, Site


@pytest.fixture
def linked(site: Site) -> str:
    """A bucket with links that a file-system program left in it."""
    bucket = site.bucket()
    top = site.root / bucket
    (top / "file").symlink_to(site.outside / "canary")
    (top / "directory").symlink_to(site.outside)
    (top / "up").symlink_to("../..")
    (top / "sideways").symlink_to("../alice")
    (top / "loop").symlink_to("loop")
    (top / "root").symlink_to("/")
    (top / "magic").symlink_to("/proc/self/root")
    (top / "inner").mkdir()
    (top / "inner" / "plain").write_bytes(b"plain")
    (top / "within").symlink_to("inner")
    return bucket


THROUGH_LINKS = (
    "file",
    "directory/canary",
    "up/outside/canary",
    "sideways/kept",
    "loop",
    "loop/x",
    "within/plain",
    "directory",
    "directory/",
    "magic/etc/passwd",
    "root/etc/passwd",
    "directory/new",
    "directory/new/deeper",
)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("key", THROUGH_LINKS)
def test_symbolic_link_is_never_followed_by_a_read(site: Site, linked: str, key: str) -> None:
    # gaul/s3proxy #769: a link in the tree opened the whole file system.
    for query in ("", "?tagging", "?attributes"):
        answer = site.ask("GET", f"/{linked}/{key}{query}", x_amz_object_attributes="ETag")
        assert answer.status == 404, (key, query)
    assert site.ask("HEAD", f"/{linked}/{key}").status == 404
    assert site.ask("PUT", f"/{linked}/copy", x_amz_copy_source=f"/{linked}/{key}").status == 404


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("key", THROUGH_LINKS)
def test_symbolic_link_is_never_followed_by_a_write(site: Site, linked: str, key: str) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg. Whether the key can be stored beside the link is the server's choice.
    target = f"/{linked}/{key}"
    put = site.ask("PUT", target, b"written")
    assert put.status < 500
    if put.status == 200:
        assert site.ask("GET", target).body == b"written"
    assert site.ask("PUT", f"{target}?tagging", b"<Tagging><TagSet/></Tagging>").status < 500
    assert site.ask("PUT", target, x_amz_copy_source="/alice/kept").status < 500
    assert site.ask("DELETE", target).status < 500
    assert (site.root / "alice" / "kept").read_bytes() == KEPT


@pytest.mark.usefixtures("untouched")
def test_symbolic_link_is_not_listed(site: Site, linked: str) -> None:
    # gaul/s3proxy #769.
    for query in (
        "",
        "?list-type=2",
        "?versions",
        "?prefix=directory/",
        "?prefix=up/",
        "?marker=directory/",
        "?delimiter=/",
    ):
        listed = site.ask("GET", f"/{linked}{query}").body
        assert b"canary" not in listed
        assert b"<Key>within" not in listed
        assert b"<Prefix>directory/</Prefix></CommonPrefixes>" not in listed
    assert b"<Key>inner/plain</Key>" in site.ask("GET", f"/{linked}").body


@pytest.mark.usefixtures("untouched")
def test_bucket_that_is_a_symbolic_link_is_none(site: Site) -> None:
    # gaul/s3proxy #769.
    link = site.root / "linkedbucket"
    link.symlink_to(site.outside)
    try:
        for method, target in (("GET", ""), ("GET", "/canary"), ("PUT", "/new"), ("DELETE", "/canary"), ("HEAD", "")):
            assert site.ask(method, f"/linkedbucket{target}").status == 404
        assert b"linkedbucket" not in site.ask("GET", "/").body
        assert site.ask("PUT", "/linkedbucket").status in {400, 403, 404, 409}
        assert site.ask("DELETE", "/linkedbucket").status in {403, 404}
    finally:
        link.unlink()


@pytest.mark.usefixtures("untouched")
def test_directory_swapped_for_a_link_while_it_is_used_is_not_followed(site: Site) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg: what was checked and what was opened must be one step, also with descriptors kept.
    bucket = site.bucket()
    for _ in range(3):
        assert site.ask("PUT", f"/{bucket}/deep/er/canary", b"inside").status == 200
        assert site.ask("GET", f"/{bucket}/deep/er/canary").body == b"inside"
    directory = site.root / bucket / "deep" / "er"
    directory.rename(directory.with_name("moved"))
    directory.symlink_to(site.outside)
    assert site.ask("GET", f"/{bucket}/deep/er/canary").status == 404
    assert b"er/canary" not in site.ask("GET", f"/{bucket}").body
    assert site.ask("DELETE", f"/{bucket}/deep/er/canary").status < 500
    assert site.ask("PUT", f"/{bucket}/deep/er/canary", b"x").status < 500


@pytest.mark.usefixtures("untouched")
def test_hard_link_is_never_written_through(site: Site) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg. A hard link is a file of the bucket like any other to read; a write replaces it. Tags
    # are an attribute of the file, and so the same under all of its names.
    bucket = site.bucket()
    outside = site.base / "linked-from-a-bucket"
    outside.write_bytes(CANARY)
    target = f"/{bucket}/hard"
    steps: tuple[tuple[str, str, bytes, dict[str, str]], ...] = (
        ("PUT", "", b"overwritten", {}),
        ("PUT", "", b"", {"x_amz_copy_source": "/alice/kept"}),
        ("PUT", "", b"", {"x_amz_copy_source": f"/{bucket}/hard", "x_amz_metadata_directive": "REPLACE"}),
        ("PUT", "?tagging", b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", {}),
        ("DELETE", "?tagging", b"", {}),
        ("DELETE", "", b"", {}),
    )
    for method, query, body, headers in steps:
        path = site.root / bucket / "hard"
        path.unlink(missing_ok=True)
        os.link(outside, path)
        assert site.ask(method, target + query, body, extra=headers).status < 500
        assert outside.read_bytes() == CANARY
    outside.unlink()


@pytest.mark.parametrize("kind", ["fifo", "socket", "directory"])
def test_what_is_no_regular_file_is_no_object_and_holds_nobody_up(site: Site, kind: str) -> None:
    # Ceph CVE-2019-10222 in spirit: one request must not stop the process.
    bucket = site.bucket()
    path = site.root / bucket / "odd"
    listener = socket.socket(socket.AF_UNIX)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.chdir(path.parent)
        listener.bind("odd")
    else:
        path.mkdir()
    assert site.ask("GET", f"/{bucket}/odd").status == 404
    assert b"<Key>" not in site.ask("GET", f"/{bucket}").body
    listener.close()
