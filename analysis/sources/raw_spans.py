"""Raw spans: what every reader makes of its form, before the conventions are applied.

Columns, not objects: a compiled walk fills them directly, `SpanRows` collects them from Python. What the
attributes mean (status codes, peers, addresses) is decided once, for all forms, in `span_building`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.sources.conventions import Process, process_of
from analysis.span_table import LINK

__all__ = ["Link", "RawSpans", "SpanRows", "clamp_ns"]

Link = tuple[bytes, int]
"""Trace id (16 bytes) and span id."""

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_UINT64_MASK = 2**64 - 1


def clamp_ns(time_ns: int) -> int:
    """A time the table can hold: years before 1677 and after 2262 become the nearest one."""
    return min(max(time_ns, _INT64_MIN), _INT64_MAX)


@dataclass(frozen=True, slots=True)
class RawSpans:
    """n spans with m attributes in all."""

    trace_id: npt.NDArray[np.uint8]  # (n, 16)
    span_id: npt.NDArray[np.uint64]  # (n,)
    parent_span_id: npt.NDArray[np.uint64]  # (n,), 0 = none
    name: pa.DictionaryArray  # (n,)
    kind: npt.NDArray[np.int8]  # (n,), OTLP numbering, 0 = not said
    start_ns: npt.NDArray[np.int64]  # (n,)
    end_ns: npt.NDArray[np.int64]  # (n,)
    status: npt.NDArray[np.int8]  # (n,)
    process: npt.NDArray[np.int32]  # (n,), index into `processes`
    processes: Sequence[Process]
    attribute_offsets: npt.NDArray[np.int32]  # (n + 1,)
    attribute_keys: pa.DictionaryArray  # (m,)
    attribute_values: pa.StringArray  # (m,)
    link_offsets: npt.NDArray[np.int32]  # (n + 1,)
    links: pa.StructArray  # span_table.LINK

    def __len__(self) -> int:
        return len(self.span_id)


@dataclass(slots=True)
class SpanRows:
    """Collects spans one by one, for the forms and sizes that Python reads."""

    _trace_ids: list[bytes] = field(default_factory=list)
    _span_ids: list[int] = field(default_factory=list)
    _parents: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _kinds: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _statuses: list[int] = field(default_factory=list)
    _processes: list[int] = field(default_factory=list)
    _known_processes: dict[Process, int] = field(default_factory=dict)
    _attribute_ends: list[int] = field(default_factory=lambda: [0])
    _keys: list[str] = field(default_factory=list)
    _values: list[str] = field(default_factory=list)
    _link_ends: list[int] = field(default_factory=lambda: [0])
    _links: list[Link] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._span_ids)

    def process(self, attributes: Mapping[str, str]) -> int:
        """The number of the process that these resource attributes describe."""
        return self._known_processes.setdefault(process_of(attributes), len(self._known_processes))

    def add(
        self,
        *,
        trace_id: bytes,
        span_id: int,
        parent_span_id: int,
        name: str,
        kind: int,
        start_ns: int,
        end_ns: int,
        status: int,
        process: int,
        attributes: Sequence[tuple[str, str]],
        links: Sequence[Link] = (),
    ) -> None:
        """Append one span. `trace_id` has 16 bytes; times beyond the table's range are clamped."""
        self._trace_ids.append(trace_id)
        self._span_ids.append(span_id & _UINT64_MASK)
        self._parents.append(parent_span_id & _UINT64_MASK)
        self._names.append(name)
        self._kinds.append(kind if 0 <= kind <= 5 else 0)
        self._starts.append(clamp_ns(start_ns))
        self._ends.append(clamp_ns(end_ns))
        self._statuses.append(status if 0 <= status <= 2 else 0)
        self._processes.append(process)
        for key, value in attributes:
            self._keys.append(key)
            self._values.append(value)
        self._attribute_ends.append(len(self._keys))
        self._links.extend(links)
        self._link_ends.append(len(self._links))

    def columns(self) -> RawSpans:
        """Everything added so far."""
        links = pa.StructArray.from_arrays(
            [
                pa.array([trace_id for trace_id, _ in self._links], pa.binary(16)),
                pa.array([span_id & _UINT64_MASK for _, span_id in self._links], pa.uint64()),
            ],
            fields=list(LINK),
        )
        return RawSpans(
            trace_id=np.frombuffer(b"".join(self._trace_ids), np.uint8).reshape(-1, 16),
            span_id=np.array(self._span_ids, np.uint64),
            parent_span_id=np.array(self._parents, np.uint64),
            name=pa.array(self._names, pa.string()).dictionary_encode(),
            kind=np.array(self._kinds, np.int8),
            start_ns=np.array(self._starts, np.int64),
            end_ns=np.array(self._ends, np.int64),
            status=np.array(self._statuses, np.int8),
            process=np.array(self._processes, np.int32),
            processes=list(self._known_processes),
            attribute_offsets=np.array(self._attribute_ends, np.int32),
            attribute_keys=pa.array(self._keys, pa.string()).dictionary_encode(),
            attribute_values=pa.array(self._values, pa.string()),
            link_offsets=np.array(self._link_ends, np.int32),
            links=links,
        )
