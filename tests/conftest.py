import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.differences import reason_of
from tests.nodes import KINDS, QUICK, QUICK_KINDS, Under, absence, standing_on

# A deadline would be a timed assertion: it fails where the machine has something else to do.
settings.register_profile("s3proxy", deadline=None)
settings.load_profile("s3proxy")


def pytest_addoption(parser: pytest.Parser) -> None:
    kinds = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    parser.addoption(
        "--nodes",
        default="",
        metavar="KIND,KIND",
        help=f"test whole nodes of these kinds ({kinds}); by default over a directory, and a part over s3 and moto",
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    chosen = _chosen(config) or ["directory", *QUICK_KINDS]
    return [f"nodes: {', '.join(f'{kind} ({absence(kind) or KINDS[kind]})' for kind in chosen)}"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "node_kind" not in metafunc.fixturenames:
        return
    chosen = _chosen(metafunc.config)
    if not chosen:
        chosen = ["directory", *QUICK_KINDS] if metafunc.module.__name__ in QUICK else ["directory"]
    if "root" in metafunc.fixturenames and "directory" in chosen:
        chosen = ["directory"]
    kinds = [pytest.param(kind, marks=_marks(kind, metafunc)) for kind in chosen]
    metafunc.parametrize("node_kind", kinds, indirect=True, scope="session")


def _chosen(config: pytest.Config) -> list[str]:
    chosen = [kind for kind in config.getoption("nodes").split(",") if kind]
    unknown = sorted(set(chosen) - KINDS.keys())
    if unknown:
        raise pytest.UsageError(f"--nodes: {', '.join(unknown)}: must be of {', '.join(KINDS)}")
    return chosen


def _marks(kind: str, metafunc: pytest.Metafunc) -> list[pytest.MarkDecorator]:
    reason = absence(kind)
    if reason is None and kind != "directory" and "root" in metafunc.fixturenames:
        reason = f"looks at files, and a node of the kind {kind} has none"
    return [] if reason is None else [pytest.mark.skip(reason=reason)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            kind = item.callspec.params.get("node_kind")
            reason = None if kind is None else reason_of(str(kind), item.name)
            if reason is not None:
                item.add_marker((pytest.mark.skip if kind == "moto" else pytest.mark.xfail)(reason=reason))


@pytest.fixture(scope="session")
def node_kind(request: pytest.FixtureRequest) -> str:
    """What is chosen with ``--nodes``; see nodes.py."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def under(node_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Under]:
    """What nodes stand on."""
    with standing_on(node_kind, tmp_path_factory.mktemp(node_kind)) as under:
        yield under


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """pytest's own directory, removed at once: its removal recurses, and keys may lie a thousand directories deep."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path], check=True)
