"""Compile every kernel that the analysis has, so that no first analysis waits for it: `python -m tracegap.warm`.

The machine code lies in the cache of numba, beside the modules or, where that cannot be written to, in the user's.
Where neither can, nothing is kept and every process compiles what it needs.
"""

from __future__ import annotations

import time

import click

__all__ = ["main"]


def main() -> None:
    """Compile, or find compiled, and say how long that took."""
    from analysis.sources.warm_walks import warm_walks
    from analysis.warm_kernels import warm_kernels

    began = time.monotonic()
    warm_walks()
    warm_kernels()
    click.echo(f"kernels are ready after {time.monotonic() - began:.0f} s", err=True)


if __name__ == "__main__":
    main()
