"""Numbers of bytes as people read them; how they write them is ``s3proxy.config.sizes``."""


def format_size(size: float) -> str:
    """``size`` bytes with three digits: ``0 B``, ``1.50 KiB``, ``12.3 GiB``, ``1,000 KiB``."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:,.{_decimals(size)}f} {unit}"
    size /= 1024
    return f"{size:,.{_decimals(size)}f} TiB"


def _decimals(number: float) -> int:
    return 2 if number < 9.995 else 1 if number < 99.95 else 0
