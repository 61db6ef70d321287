"""How crossings failed, and where a failure started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.failures_words import symptom_of
from analysis.hops import CALL, MESSAGE, PEER, Crossings
from analysis.kernel import kernel
from analysis.observations import FAILURES
from analysis.span_table import STATUS_ERROR
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int32s, Int64s

__all__ = ["SpanErrors", "classify", "mark_origins", "read_errors"]

Flags = npt.NDArray[np.bool_]
CODE = {name: np.int8(code) for code, name in enumerate(FAILURES)}

ERROR_TEXTS = ("exception.message", "otel.status_description", "error.message", "exception.type")
"""Attributes that say what an error was; the type is asked last."""
GRPC_SYMPTOMS = {1: "timeout", 4: "timeout", 14: "refused"}
GRPC_REFUSALS = (3, 5, 6, 7, 9, 10, 11, 16)
"""Codes by which a working gRPC server refuses a request: invalid argument, not found, already exists, ..."""


@dataclass(frozen=True)
class SpanErrors:
    """Per span: whether it is marked as failed, what its words say, and what its callee answered."""

    failed: Flags
    symptom: Int8s  # code of FAILURES: refused, reset, timeout, truncated or 0
    answer: Int8s  # 4: refused by a working callee (4xx), 5: the callee failed (5xx), 0: fine or no answer
    status: npt.NDArray[np.int16]


def read_errors(forest: Forest, spans: pa.Table) -> SpanErrors:
    columns = forest.columns
    failed = columns.status == STATUS_ERROR
    status = _statuses(forest, failed)
    grpc = (status >= 0) & (status <= 16)
    answer = np.zeros(len(forest), np.int8)
    answer[(status >= 400) & (status < 500)] = 4
    answer[(status >= 500) & (status < 600)] = 5
    worded = grpc & np.isin(status, list(GRPC_SYMPTOMS))
    answer[grpc & np.isin(status, GRPC_REFUSALS)] = 4
    answer[grpc & failed & (status > 0) & ~worded & (answer == 0)] = 5
    failed = failed | (answer == 5)
    symptom = np.zeros(len(forest), np.int8)
    asked = np.flatnonzero(failed)
    if len(asked):
        symptom[asked] = _symptoms(forest, spans, asked)
        for code, name in GRPC_SYMPTOMS.items():
            symptom[failed & (symptom == 0) & (status == code)] = CODE[name]
    return SpanErrors(failed, symptom, answer, status)


def _statuses(forest: Forest, failed: Flags) -> npt.NDArray[np.int16]:
    """HTTP or gRPC status; where it is missing, an `error.type` that is a number, as the conventions write it."""
    columns = forest.columns
    status: npt.NDArray[np.int16] = columns.http_status
    words = columns.error_type.values.to_pylist()
    numbers = np.array([int(w) if w and w.isdigit() and len(w) == 3 else 0 for w in words] + [0], np.int16)
    if numbers.any():
        status = np.where((status == 0) & failed, numbers[columns.error_type.codes], status)
    return status


def _symptoms(forest: Forest, spans: pa.Table, asked: Int64s) -> Int8s:
    """From the message of the error; where that says nothing, from its type."""
    texts = attributes_of(spans, forest.rows[asked], ERROR_TEXTS)
    types = forest.columns.error_type
    by_type = np.array([CODE[symptom_of(w or "") or "none"] for w in types.values.to_pylist()] + [0], np.int8)
    codes = np.zeros(len(asked), np.int8)
    for text in texts[:3]:
        codes = np.where(codes == 0, _classify_texts(text), codes)
    codes = np.where(codes == 0, by_type[types.codes[asked]], codes)
    return np.where(codes == 0, _classify_texts(texts[3]), codes)


def _classify_texts(text: pa.Array) -> Int8s:
    encoded = text.dictionary_encode()
    codes = np.array([CODE[symptom_of(w or "") or "none"] for w in encoded.dictionary.to_pylist()] + [0], np.int8)
    indices: Int32s = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return codes[indices]


def attributes_of(spans: pa.Table, rows: Int64s, keys: tuple[str, ...]) -> list[pa.Array]:
    """These attributes of these rows of the span table, one array of text per key, null where absent."""
    taken = spans["attributes"].take(pa.array(rows))
    maps = taken.combine_chunks()
    maps = maps.chunk(0) if isinstance(maps, pa.ChunkedArray) else maps
    return [pc.map_lookup(maps, query_key=pa.scalar(key), occurrence="first") for key in keys]


def classify(forest: Forest, crossings: Crossings, errors: SpanErrors) -> tuple[Int8s, Int8s]:
    """For each crossing its code of FAILURES, and what its caller saw (refused, reset, timeout, truncated or none).

    Duplicates are found later: they need the other crossings of the message.
    """
    caller, callee = crossings.caller, crossings.callee
    inferred = crossings.inferred != 0
    called = callee >= 0
    caller_failed = errors.failed[caller] & ~inferred
    callee_failed = called & errors.failed[callee]
    symptom = np.where(caller_failed, errors.symptom[caller], np.int8(0))
    answer = np.where(inferred, np.int8(0), errors.answer[caller])
    after = called & (forest.end_ns[callee] > forest.end_ns[caller])
    agreed = called & (errors.status[caller] == errors.status[callee]) & (errors.status[caller] > 0)

    unanswered = np.select(
        [~caller_failed, answer == 5, answer == 4, symptom > 0],
        [CODE["none"], CODE["server_error"], CODE["client_error"], symptom],
        CODE["client_error"],
    )
    both = np.where(agreed | (answer == 5) | (symptom == 0), CODE["server_error"], symptom)
    # The server finished well. A client that has a good answer and still complains does so about its content.
    good_answer = (errors.status[caller] >= 100) & (answer == 0) & (symptom == 0)
    one = np.select([(answer == 4) | good_answer, after], [CODE["client_error"], CODE["late"]], CODE["lost_response"])
    call = np.where(
        callee_failed, np.where(caller_failed, both, CODE["server_error"]), np.where(caller_failed, one, CODE["none"])
    )
    delivered = np.where(
        callee_failed, CODE["consumer_error"], np.where(caller_failed, CODE["lost_response"], CODE["none"])
    )
    lost = np.where(caller_failed, np.where(symptom > 0, symptom, CODE["client_error"]), CODE["lost_message"])
    failure = np.select(
        [
            crossings.kind == PEER,
            crossings.kind == CALL,
            (crossings.kind == MESSAGE) & called,
            crossings.kind == MESSAGE,
        ],
        [unanswered, call, delivered, lost],
        CODE["none"],
    )
    return failure.astype(np.int8), symptom.astype(np.int8)


def mark_origins(forest: Forest, crossings: Crossings, failure: Int8s, recovered: Flags) -> Flags:
    """Whether the failure of each crossing started there: nothing that its callee waited for failed.

    A failed attempt that a retry made good (`recovered`) explains nothing above it.
    """
    origin = failure > 0
    waited_for = ~np.isin(failure, [CODE["none"], CODE["lost_message"], CODE["consumer_error"], CODE["duplicate"]])
    explains = np.flatnonzero(waited_for & ~recovered)
    if not len(explains):
        return origin
    failed, below = np.zeros(len(forest), np.int8), np.zeros(len(forest), np.int8)
    barrier = np.zeros(len(forest), np.int8)
    anchor = np.where(crossings.inferred != 0, crossings.callee, crossings.caller)
    failed[anchor[explains]] = 1
    messages = crossings.callee[crossings.kind == MESSAGE]
    barrier[messages[messages >= 0]] = 1
    spread_failures.run(len(forest), (forest.parent, forest.top_down, barrier, failed), (below,))
    called = crossings.callee >= 0
    started: Flags = origin & ~(called & (below[crossings.callee] != 0))
    return started


@kernel
def spread_failures(parent, top_down, barrier, failed, below):  # type: ignore[no-untyped-def]
    """Tell every span whether something below it failed that it waited for."""
    count = len(parent)
    for i in range(count):
        p = top_down[count - 1 - i]
        q = parent[p]
        if q >= 0 and barrier[p] == 0 and (failed[p] != 0 or below[p] != 0):
            below[q] = 1
