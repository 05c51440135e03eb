"""Where the programs of the peers are: the bench starts them, it does not install them."""

import os
import shutil
import subprocess
from pathlib import Path

_DEBIAN_KEEPS_OUT = "/usr/sbin:/usr/local/sbin"


def program(name: str, variable: str | None = None) -> str | None:
    """The path of a program: what the environment variable says, or where it is on the PATH."""
    said = os.environ.get(variable) if variable else None
    return shutil.which(said or name, path=f"{os.environ.get('PATH', os.defpath)}:{_DEBIAN_KEEPS_OUT}")


def absence_of(name: str, variable: str | None = None, package: str | None = None) -> str | None:
    """Why a program is not to be had, or None."""
    if program(name, variable):
        return None
    advice = f"on Debian: apt install {package}" if package else f"put it on the PATH or name it in {variable}"
    return f"{name} is not installed ({advice})"


def version_said(name: str, *options: str, variable: str | None = None) -> str:
    """What a program answers when asked for its version: the first line that has a digit; nothing where it has none."""
    found = program(name, variable)
    if found is None:
        return ""
    try:
        shown = subprocess.run([found, *options], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (shown.stdout + shown.stderr).splitlines()
    return next((line.strip() for line in lines if any(map(str.isdigit, line))), "")


def named(variable: str) -> Path | None:
    """The file or directory that an environment variable names, if it is there."""
    said = os.environ.get(variable)
    return Path(said) if said and Path(said).exists() else None


def absence_of_named(what: str, variable: str) -> str | None:
    """Why a file that only a variable can name is not to be had, or None."""
    return None if named(variable) else f"{variable} names no {what}"
