"""What fails over some stores, and why: the one list of what a node cannot make up for.

Names are those of tests, with their parameters but for the kind of node where only some of these fail.
"""

from collections.abc import Mapping

_FAR: Mapping[str, str] = {}
_CEPH: Mapping[str, str] = {}
_MOTO: Mapping[str, str] = {}

_BY_KIND: Mapping[str, Mapping[str, str]] = {
    "directory": {},
    "ceph": {**_FAR, **_CEPH},
    "moto": {**_FAR, **_MOTO},
}


def reason_of(kind: str, name: str) -> str | None:
    """Why a test fails over nodes of a kind, or None.

    Args:
        kind: of the node.
        name: of the test, as pytest has it.
    """
    reasons = _BY_KIND.get(kind, _FAR)
    without_kind = name.replace(f"[{kind}]", "").replace(f"[{kind}-", "[").replace(f"-{kind}]", "]")
    return reasons.get(without_kind) or reasons.get(name.partition("[")[0])
