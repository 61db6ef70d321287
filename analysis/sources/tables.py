"""A pair of tables: what one file, one answer or one batch holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

__all__ = ["Tables"]


@dataclass(frozen=True, slots=True)
class Tables:
    spans: pa.Table = field(default_factory=SPAN_SCHEMA.empty_table)
    logs: pa.Table = field(default_factory=LOG_SCHEMA.empty_table)

    @staticmethod
    def concat(parts: Sequence[Tables]) -> Tables:
        """All rows of all parts, their dictionaries made one. Without parts: empty tables."""
        return Tables(
            pa.concat_tables([SPAN_SCHEMA.empty_table(), *(part.spans for part in parts)]).unify_dictionaries(),
            pa.concat_tables([LOG_SCHEMA.empty_table(), *(part.logs for part in parts)]).unify_dictionaries(),
        )
