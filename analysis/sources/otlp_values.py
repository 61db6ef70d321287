"""What OTLP spans carry beside plain attributes, and where the table keeps it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["EXCEPTION_EVENT", "STATUS_DESCRIPTION", "with_extras"]

EXCEPTION_EVENT = "exception"
EXCEPTION_KEYS = ("exception.type", "exception.message")
STATUS_DESCRIPTION = "otel.status_description"

Pairs = list[tuple[str, str]]


def with_extras(attributes: Pairs, exception: Sequence[tuple[str, str]], status_message: str) -> Pairs:
    """Attributes, then the first recorded exception's type and message, then the status message."""
    for key in EXCEPTION_KEYS:
        found = next((value for name, value in exception if name == key), None)
        if found is not None:
            attributes.append((key, found))
    if status_message:
        attributes.append((STATUS_DESCRIPTION, status_message))
    return attributes
