from pathlib import Path

import pytest

from s3proxy.admin.socket_paths import SERVICE_DIRECTORY, SocketPathError, candidates, is_private, place


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What /tmp is here; the user's own directory in it does not exist yet."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid)
    return tmp_path


def own(temporary: Path) -> Path:
    return temporary / f"s3proxy-{temporary.stat().st_uid}"


def test_place_of_a_service_is_its_runtime_directory(tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": f"{tmp_path}:/other", "XDG_RUNTIME_DIR": "/elsewhere"}
    assert place(39999, environ) == tmp_path / "s3proxy-39999.sock"


def test_place_of_a_user_is_the_directory_of_the_session(tmp_path: Path) -> None:
    assert place(1, {"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "s3proxy-1.sock"


@pytest.mark.parametrize("environ", [{}, {"XDG_RUNTIME_DIR": "/absent"}, {"XDG_RUNTIME_DIR": "relative"}])
def test_place_without_a_runtime_directory_is_private_in_the_temporary_one(
    temporary: Path, environ: dict[str, str]
) -> None:
    assert place(1, environ) == own(temporary) / "s3proxy-1.sock"
    assert own(temporary).stat().st_mode & 0o777 == 0o700
    assert place(1, environ) == own(temporary) / "s3proxy-1.sock"


# A name in a directory that all may write into can be taken by anybody, and then leads elsewhere.
@pytest.mark.parametrize("kind", ["open to all", "link", "file"])
def test_place_that_somebody_else_may_have_made_is_refused(temporary: Path, kind: str) -> None:
    if kind == "open to all":
        own(temporary).mkdir(mode=0o755)
    elif kind == "link":
        (temporary / "elsewhere").mkdir(mode=0o700)
        own(temporary).symlink_to(temporary / "elsewhere")
    else:
        own(temporary).touch(mode=0o600)
    with pytest.raises(SocketPathError, match=str(own(temporary))):
        place(1, {})
    assert own(temporary) / "s3proxy-1.sock" not in candidates(1, {})


def test_candidates_are_every_place_that_a_node_may_have_chosen(temporary: Path, tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}
    directories = [Path("/run/user/7"), SERVICE_DIRECTORY, own(temporary)]
    assert candidates(8, environ) == [directory / "s3proxy-8.sock" for directory in directories]
    assert place(8, {}) in candidates(8, {})


def test_is_private_of_what_is_not_there_is_false(tmp_path: Path) -> None:
    assert not is_private(tmp_path / "absent")
