"""The language of `tracegap traces`: `service:payment duration>1s order.id:12345 failed:timeout`.

A query is terms with blanks between them, all of which must hold. A term is `field OPERATOR value`, or a bare word that
is looked for in the operation's name. Operators: `:` or `=`, `!=`, `>`, `>=`, `<`, `<=`. A value with blanks stands in
double quotes; `*` in it stands for anything. Any field that is not one of FIELDS is an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from analysis.errors import BadQuery
from analysis.observations import FAILURES

__all__ = ["FIELDS", "KINDS", "Term", "duration_ns", "parse"]

FIELDS = {
    "service": "the service a span belongs to",
    "operation": "the name of a span",
    "kind": "internal, server, client, producer or consumer",
    "duration": "how long a span took: 250ms, 1.5s, 2m",
    "status": "error, ok, or an HTTP status: status:error, status>=500",
    "peer": "the database, broker or other system a span went to",
    "address": "host:port a span went to",
    "destination": "topic, queue or subject",
    "host": "the host of a span",
    "instance": "the instance of a service",
    "error": "the error type of a span",
    "failed": "a hop of the trace failed in this way: " + ", ".join(FAILURES[1:]) + ", or any",
    "time": "when the trace began: time>2026-01-31T12:00, time>-15m (15 minutes ago)",
    "trace": "the trace id, or its beginning",
    "trace.duration": "how long the whole trace took",
}
"""Field to what it means. The last four are about the trace; all others must hold for one and the same span."""

_ALIASES = {"name": "operation", "start": "time", "svc": "service", "op": "operation"}
_TERM = re.compile(r'(?P<field>[^\s:=<>!"]+)(?P<operator>!=|>=|<=|:|=|>|<)(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_WORD = re.compile(r'"(?:[^"\\]|\\.)+"(?=\s|$)|[^\s:=<>!"]+(?=\s|$)')
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_UNIT_NS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9,
    "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9,
}  # fmt: skip
_ORDERED = {"duration", "trace.duration"}
KINDS = ("internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True, slots=True)
class Term:
    field: str
    operator: str  # = != > >= < <=
    value: str  # without quotes
    number: int | None = None  # of durations and times, in nanoseconds


def parse(query: str, time_ns_of: Callable[[str], int | None]) -> tuple[Term, ...]:
    """The terms of a query; an empty one has none. `time_ns_of` reads times, None = it is none. Raises BadQuery."""
    terms: list[Term] = []
    at = 0
    while at < len(query):
        if query[at].isspace():
            at += 1
        elif found := _TERM.match(query, at):
            terms.append(_term(found["field"], found["operator"], _unquoted(found["value"]), time_ns_of))
            at = found.end()
        elif found := _WORD.match(query, at):
            terms.append(Term("operation", "=", f"*{_unquoted(found[0])}*"))
            at = found.end()
        else:
            piece = query[at:].split(maxsplit=1)[0]
            raise BadQuery(
                f"cannot understand {piece!r} at column {at + 1}; expected field:value, as in service:payment"
            )
    return tuple(terms)


def _term(field: str, operator: str, value: str, time_ns_of: Callable[[str], int | None]) -> Term:
    field = _ALIASES.get(field, field)
    operator = "=" if operator == ":" else operator
    if not value:
        raise BadQuery(f"{field}{operator} has no value")
    if field == "time":
        time_ns = time_ns_of(value)
        if time_ns is None:
            raise BadQuery(f"time: {value!r} is no time; expected 2026-01-31T12:00 or -15m")
        return Term(field, operator, value, time_ns)
    if field in _ORDERED:
        duration = duration_ns(value)
        if duration is None:
            raise BadQuery(f"{field}: {value!r} is no duration; expected a number with a unit, as in 250ms or 1.5s")
        return Term(field, operator, value, duration)
    if field == "kind" and value.lower() not in KINDS:
        raise BadQuery(f"kind:{value} is no kind; expected one of {', '.join(KINDS)}")
    if field == "failed" and (value not in (*FAILURES[1:], "any") or operator != "="):
        raise BadQuery(f"failed{operator}{value} is no failure; expected failed: and any, {', '.join(FAILURES[1:])}")
    if field == "status" and value not in ("error", "ok") and not value.isdecimal():
        raise BadQuery(f"status:{value} is no status; expected error, ok or a number as in status>=500")
    return Term(field, operator, value)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def duration_ns(text: str) -> int | None:
    """Nanoseconds of `250ms` or `1.5s`; None = it is no duration."""
    found = _DURATION.fullmatch(text)
    return round(float(found[1]) * _UNIT_NS[found[2]]) if found else None
