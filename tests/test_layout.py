"""The shape of the tree: every module has its tests, no file outgrows its subject."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for path in (ROOT / "s3proxy").rglob("*.py") if path.name != "__init__.py")
FILES = sorted(path for folder in ("s3proxy", "bench", "tests") for path in (ROOT / folder).rglob("*.py"))

# What only a running process shows; see tests/integration and tests/security.
TESTED_AS_A_PROCESS = {
    "__main__.py",
    "cli.py",
    "node/admin_worker.py",
    "node/run.py",
    "node/serve.py",
    "node/worker.py",
    "gateway/dispatch.py",
    "gateway/listing.py",
    "gateway/reading.py",
    "gateway/writing.py",
    "gateway/xml_body.py",
}
WITHOUT_BEHAVIOUR = {
    "admin/caches.py",
    "config/errors.py",
    "config/sections.py",
    "s3/model/operations.py",
    "s3/model/results.py",
    "s3/model/values.py",
    "body.py",
    "http1/messages.py",
    "node/failures.py",
    "telemetry/context.py",
    "stores/base.py",
}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_has_its_tests(module: Path) -> None:
    name = module.relative_to(ROOT / "s3proxy")
    if str(name) in TESTED_AS_A_PROCESS | WITHOUT_BEHAVIOUR:
        return
    assert (ROOT / "tests" / name.with_name(f"test_{name.name}")).exists()


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_has_at_most_500_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 500
