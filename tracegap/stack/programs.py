"""Where the programs are that packages install."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

from tracegap.errors import PartFailed

__all__ = ["script"]


def script(name: str, package: str) -> Path:
    """A program that this package brings: beside our Python, where its installer puts scripts, or on the PATH.

    Raises PartFailed when it is in none of these places.
    """
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / name).is_file():
            return folder / name
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise PartFailed(f"{name} is missing: install the package {package}")
    return Path(elsewhere)
