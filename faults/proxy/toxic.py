"""What every toxic has: its attributes as clients send them, and what it does to a stream."""

from __future__ import annotations

from typing import ClassVar

from faults.proxy.pipe import Pipe, Stub

__all__ = ["MICROSECOND_NS", "MILLISECOND_NS", "Toxic"]

MILLISECOND_NS = 1_000_000
MICROSECOND_NS = 1_000


class Toxic:
    """Settings shared by all connections of a proxy; `pipe` is started once per connection and direction.

    Attributes are plain integers named as in the HTTP interface, 0 unless set, changed in place by updates.
    """

    go_name: ClassVar[str]
    """The original's name of this type, as it stands in error messages about wrong attributes."""

    attributes: ClassVar[dict[str, str]] = {}
    """Attribute to the original's integer type, in the order in which they are shown."""

    queue_chunks: ClassVar[int] = 0
    """How many chunks may wait in front of it, so that reading goes on while it holds one back."""

    resets: ClassVar[bool] = False
    """Whether a connection with this toxic ends with RST instead of FIN."""

    closes_when_removed: ClassVar[bool] = False
    """Whether its connections end when it is removed, because what it swallowed cannot come back."""

    def __init__(self, **attributes: int) -> None:
        for name in self.attributes:
            setattr(self, name, attributes.pop(name, 0))
        if attributes:
            raise TypeError(f"{type(self).__name__} has no attribute {', '.join(attributes)}")

    def pipe(self, stub: Stub) -> Pipe:
        """Handle one stream, in the words of `faults.proxy.pipe`."""
        raise NotImplementedError
