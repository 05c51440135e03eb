"""Numbers of bytes as people write them."""

import re

_UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1000, "m": 1000**2, "mb": 1000**2, "g": 1000**3, "gb": 1000**3, "t": 1000**4,
    "tb": 1000**4, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4,
}  # fmt: skip


def parse_size(text: str) -> int:
    """Read ``200MiB``, ``1.5 GB`` or ``4096`` as bytes; powers of 1000 without the ``i``, of 1024 with it.

    Raises:
        ValueError: it is no such size, or less than a byte; the message says what is.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text, re.ASCII)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"{text!r} is not a size; write for example 200MiB, 1.5GB or 4096")
    size = int(float(match[1]) * unit)
    if size < 1:
        raise ValueError(f"{text!r} is less than a byte")
    return size
