"""How a category of time looks on a terminal: a colour, and a fill that tells it apart without colour."""

from __future__ import annotations

from analysis.observations import CATEGORIES

__all__ = ["CATEGORY_FILLS", "CATEGORY_STYLES"]

CATEGORY_STYLES = {
    "self": "blue",
    "wire": "red",
    "peer": "cyan",
    "queue": "yellow",
    "overlap": "bright_black",
    "gap": "magenta",
}
CATEGORY_FILLS = dict(zip(CATEGORIES, "█▓▒░·╳", strict=True))
