"""Versions of the targets' programs."""

from collections.abc import Callable

from bench.targets import Target
from bench.versions import versions_of


def _target(name: str, version: Callable[[], str] | None) -> Target:
    return Target(name=name, summary="", absence=lambda: None, command=None, version=version)


def test_versions_of_targets_of_one_program_names_the_first() -> None:
    targets = [
        _target("nginx", lambda: "nginx/1.22"),
        _target("nginx-uncorked", lambda: "nginx/1.22"),
        _target("direct", None),
        _target("moto", lambda: ""),
        _target("minio", lambda: "2025"),
    ]
    assert versions_of(targets) == {"nginx": "nginx/1.22", "minio": "2025"}
