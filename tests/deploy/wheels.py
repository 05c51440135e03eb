"""Packages without a build: a wheel is an archive."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

_TREE = Path(__file__).parents[2]


def wheel_of_version(folder: Path, version: str) -> Path:
    """A package called s3proxy that only says its version."""
    return _wheel(folder, version, {"__init__.py": b"", "__main__.py": f"print('s3proxy {version}')".encode()})


def wheel_of_tree(folder: Path, version: str) -> Path:
    """The package of this very tree under a version of its own; pip is not told what it depends on."""
    top = _TREE / "s3proxy"
    paths = [path for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    content = {str(path.relative_to(top)): path.read_bytes() for path in paths}
    content["__init__.py"] = re.sub(
        rb'__version__ = ".*"', f'__version__ = "{version}"'.encode(), content["__init__.py"]
    )
    return _wheel(folder, version, content)


def _wheel(folder: Path, version: str, content: Mapping[str, bytes]) -> Path:
    path = folder / f"s3proxy-{version}-py3-none-any.whl"
    about = f"s3proxy-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(f"s3proxy/{name}", data)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: s3proxy\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path
