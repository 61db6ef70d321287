"""Why the collector does not take a request.

CollectorError
├── Malformed      the bytes are not what the content type says: never to be sent again as they are
├── TooLarge       over the size limit, before or after decompression
├── Unsupported    a content type or encoding that OTLP does not name
└── StorageFull    the frame could not be put on disk: to be sent again later
"""

from __future__ import annotations

__all__ = ["CollectorError", "Malformed", "StorageFull", "TooLarge", "Unsupported"]


class CollectorError(Exception):
    """One line for the sender."""


class Malformed(CollectorError):
    pass


class TooLarge(CollectorError):
    pass


class Unsupported(CollectorError):
    pass


class StorageFull(CollectorError):
    pass
