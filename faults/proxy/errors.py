"""What can go wrong for a client of the HTTP interface.

ProxyServerError
├── ApiError        an answer with a status and the original's wording
└── AddressError    a listen address that cannot be understood, resolved or bound
"""

from __future__ import annotations

__all__ = [
    "INVALID_STREAM",
    "INVALID_TOXIC_TYPE",
    "PROXY_ALREADY_EXISTS",
    "PROXY_NOT_FOUND",
    "TOXIC_ALREADY_EXISTS",
    "TOXIC_NOT_FOUND",
    "AddressError",
    "ApiError",
    "ProxyServerError",
    "bad_request_body",
    "missing_field",
]


class ProxyServerError(Exception):
    """Base of the errors of the embedded server."""


class AddressError(ProxyServerError):
    """The message is worded as Go's net package words it, because clients see it."""


class ApiError(ProxyServerError):
    """Answered as `{"error": message, "status": status}`."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


PROXY_NOT_FOUND = ("proxy not found", 404)
PROXY_ALREADY_EXISTS = ("proxy already exists", 409)
TOXIC_NOT_FOUND = ("toxic not found", 404)
TOXIC_ALREADY_EXISTS = ("toxic already exists", 409)
INVALID_TOXIC_TYPE = ("invalid toxic type", 400)
INVALID_STREAM = ("stream was invalid, can be either upstream or downstream", 400)


def bad_request_body(reason: object) -> ApiError:
    return ApiError(f"bad request body: {reason}", 400)


def missing_field(field: str) -> ApiError:
    return ApiError(f"missing required field: {field}", 400)
