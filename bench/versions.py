"""Which versions of the targets' programs a figure is of."""

from collections.abc import Iterable

from bench.targets import Target


def versions_of(targets: Iterable[Target]) -> dict[str, str]:
    """Target -> what its program says; of several targets of one program only the first is named."""
    said: dict[str, str] = {}
    for target in targets:
        text = target.version() if target.version else ""
        if text and text not in said.values():
            said[target.name] = text
    return said
