"""What clients ask for, read from JSON bodies with Go's rules for structs and its words for wrong types.

As in Go every field of the right type is taken over before the first wrong one is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from faults.proxy import go_json
from faults.proxy.errors import (
    INVALID_STREAM,
    INVALID_TOXIC_TYPE,
    TOXIC_ALREADY_EXISTS,
    ApiError,
    bad_request_body,
    missing_field,
)
from faults.proxy.go_json import JsonObject, JsonValue, Number
from faults.proxy.go_json_scanner import JsonSyntaxError
from faults.proxy.toxic import Toxic
from faults.proxy.toxic_chain import ActiveToxic, Direction
from faults.proxy.toxics import TOXICS

__all__ = ["ProxyRequest", "read_population", "read_proxy", "read_toxic", "require_names", "update_toxic"]

POPULATION_TYPE = 'struct { toxiproxy.Proxy; Enabled *bool "json:\\"enabled\\"" }'
TOXIC_UPDATE_TYPE = 'struct { Attributes interface {} "json:\\"attributes\\""; Toxicity float32 "json:\\"toxicity\\"" }'

Scalar = str | bool | int | float
INTEGER_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """The fields of a proxy that a client can set."""

    name: str = ""
    listen: str = ""
    upstream: str = ""
    enabled: bool = True


class _Fields:
    """Takes typed fields out of a JSON object; `check` reports the first that had the wrong type."""

    def __init__(self, value: JsonValue, go_type: str) -> None:
        self._members: Iterable[tuple[str, JsonValue]] = ()
        self._wrong: dict[int, str] = {}
        if isinstance(value, JsonObject):
            self._members = value
        elif value is not None:
            self._wrong[-1] = f"json: cannot unmarshal {go_json.type_name(value)} into Go value of type {go_type}"

    def take(self, name: str, go_type: str, where: str, parse: Callable[[JsonValue], Scalar | None]) -> Scalar | None:
        """The last value of a field that is not null, None when there is none."""
        taken: Scalar | None = None
        for position, (key, value) in enumerate(self._members):
            if value is None or (key != name and key.lower() != name.lower()):
                continue
            parsed = parse(value)
            if parsed is None:
                self._note(position, value, where + name, go_type)
            else:
                taken = parsed
        return taken

    def take_object(self, name: str, go_type: str, where: str) -> list[tuple[int, JsonObject]]:
        """All objects of a field, with their positions."""
        objects: list[tuple[int, JsonObject]] = []
        for position, (key, value) in enumerate(self._members):
            if key.lower() == name.lower() and isinstance(value, JsonObject):
                objects.append((position, value))
            elif key.lower() == name.lower() and value is not None:
                self._note(position, value, where + name, go_type)
        return objects

    def wrong_within(self, position: int, inner: _Fields) -> None:
        """Count the first wrong field of an object inside this one as wrong here."""
        if inner._wrong:
            self._wrong.setdefault(position, inner._wrong[min(inner._wrong)])

    def check(self) -> None:
        if self._wrong:
            raise bad_request_body(self._wrong[min(self._wrong)])

    def _note(self, position: int, value: JsonValue, field: str, go_type: str) -> None:
        number = f"number {value}" if isinstance(value, Number) and go_type in NUMERIC else None
        what = number or go_json.type_name(value)
        self._wrong[position] = f"json: cannot unmarshal {what} into Go struct field {field} of type {go_type}"


NUMERIC = ("int", "int64", "float32")


def _text(value: JsonValue) -> str | None:
    return go_json.clean(value) if isinstance(value, str) and not isinstance(value, Number) else None


def _flag(value: JsonValue) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer(value: JsonValue) -> int | None:
    if not isinstance(value, Number) or len(value) > 20 or not value.lstrip("-").isdecimal():
        return None
    number = int(value)
    return number if -INTEGER_LIMIT <= number < INTEGER_LIMIT else None


def _float(value: JsonValue) -> float | None:
    return go_json.float32(value) if isinstance(value, Number) else None


def _read(body: bytes) -> JsonValue:
    try:
        return go_json.read(body)
    except JsonSyntaxError as error:
        raise bad_request_body(error) from None


def read_proxy(body: bytes, default: ProxyRequest) -> ProxyRequest:
    """A proxy to create, or the changes to one: what is not said stays as in `default`."""
    fields = _Fields(_read(body), "toxiproxy.Proxy")
    request = _proxy_fields(fields, default, "Proxy.", "Proxy.")
    fields.check()
    return request


def _proxy_fields(fields: _Fields, default: ProxyRequest, where: str, where_enabled: str) -> ProxyRequest:
    name = fields.take("name", "string", where, _text)
    listen = fields.take("listen", "string", where, _text)
    upstream = fields.take("upstream", "string", where, _text)
    enabled = fields.take("enabled", "bool", where_enabled, _flag)
    fields.take_object("Logger", "zerolog.Logger", where)
    return replace(
        default,
        name=default.name if name is None else str(name),
        listen=default.listen if listen is None else str(listen),
        upstream=default.upstream if upstream is None else str(upstream),
        enabled=default.enabled if enabled is None else bool(enabled),
    )


def require_names(request: ProxyRequest, suffix: str = "") -> None:
    if not request.name:
        raise missing_field("name" + suffix)
    if not request.upstream:
        raise missing_field("upstream" + suffix)


def read_population(body: bytes) -> list[ProxyRequest]:
    """The proxies of a populate request, checked before any of them is made."""
    value = _read(body)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request_body(
            f"json: cannot unmarshal {go_json.type_name(value)} into Go value of type []{POPULATION_TYPE}"
        )
    requests = []
    for member in value:
        fields = _Fields(member, POPULATION_TYPE)
        requests.append(_proxy_fields(fields, ProxyRequest(), ".Proxy.", "."))
        fields.check()
    for number, request in enumerate(requests, 1):
        require_names(request, f" at proxy {number}")
    return requests


def read_toxic(body: bytes, exists: Callable[[str], bool]) -> ActiveToxic:
    """A toxic to add, refused when one of its name `exists`. The name defaults to type and stream."""
    fields = _Fields(_read(body), "toxics.ToxicWrapper")
    attributes = fields.take_object("attributes", "toxics.NoopToxic", "ToxicWrapper.")
    name = fields.take("name", "string", "ToxicWrapper.", _text)
    type_name = str(fields.take("type", "string", "ToxicWrapper.", _text) or "")
    stream = fields.take("stream", "string", "ToxicWrapper.", _text)
    toxicity = fields.take("toxicity", "float32", "ToxicWrapper.", _float)
    fields.check()
    stream_text = "downstream" if stream is None else str(stream)
    direction = _direction(stream_text)
    if type_name not in TOXICS:
        raise ApiError(*INVALID_TOXIC_TYPE)
    active = ActiveToxic(
        name=str(name or f"{type_name}_{stream_text}"),
        type=type_name,
        stream=stream_text,
        direction=direction,
        toxicity=1.0 if toxicity is None else float(toxicity),
        toxic=TOXICS[type_name](),
    )
    if exists(active.name):
        raise ApiError(*TOXIC_ALREADY_EXISTS)
    for position, value in attributes:
        fields.wrong_within(position, _attribute_fields(active.toxic, value))
    fields.check()
    return active


def _attribute_fields(toxic: Toxic, value: JsonObject) -> _Fields:
    """Take over the attributes of a toxic that have the right type."""
    fields = _Fields(value, "")
    for attribute, go_type in toxic.attributes.items():
        number = fields.take(attribute, go_type, f"{toxic.go_name}.attributes.", _integer)
        if number is not None:
            setattr(toxic, attribute, number)
    return fields


def update_toxic(active: ActiveToxic, body: bytes) -> None:
    """Change attributes and toxicity in place; everything else in the body is ignored."""
    fields = _Fields(_read(body), TOXIC_UPDATE_TYPE)
    for position, value in fields.take_object("attributes", f"toxics.{active.toxic.go_name}", "."):
        fields.wrong_within(position, _attribute_fields(active.toxic, value))
    toxicity = fields.take("toxicity", "float32", ".", _float)
    fields.check()
    if toxicity is not None:
        active.toxicity = float(toxicity)


def _direction(stream: str) -> Direction:
    match stream.lower():
        case "upstream":
            return "upstream"
        case "downstream":
            return "downstream"
        case _:
            raise ApiError(*INVALID_STREAM)
