"""A pair of tables: what one file, one answer or one batch holds."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

__all__ = ["Tables"]


@dataclass(frozen=True, slots=True)
class Tables:
    spans: pa.Table = field(default_factory=SPAN_SCHEMA.empty_table)
    logs: pa.Table = field(default_factory=LOG_SCHEMA.empty_table)

    def keeping(self, keys: AbstractSet[str] | None) -> Tables:
        """The same with these attributes of spans alone (None: with all). O(attributes)."""
        if keys is None or not len(self.spans):
            return self
        place = self.spans.schema.get_field_index("attributes")
        chunks = [_keeping(maps, pa.array(sorted(keys), pa.string())) for maps in self.spans["attributes"].chunks]
        return Tables(self.spans.set_column(place, self.spans.schema.field(place), pa.chunked_array(chunks)), self.logs)

    @staticmethod
    def concat(parts: Sequence[Tables]) -> Tables:
        """All rows of all parts, their dictionaries made one. Without parts: empty tables."""
        return Tables(
            pa.concat_tables([SPAN_SCHEMA.empty_table(), *(part.spans for part in parts)]).unify_dictionaries(),
            pa.concat_tables([LOG_SCHEMA.empty_table(), *(part.logs for part in parts)]).unify_dictionaries(),
        )


def _keeping(maps: pa.MapArray, keys: pa.StringArray) -> pa.MapArray:
    if maps.null_count:
        return maps
    wanted = pc.is_in(maps.keys, keys)
    before = np.concatenate([[0], np.cumsum(wanted.to_numpy(zero_copy_only=False))])
    offsets = before[maps.offsets.to_numpy()].astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(offsets), maps.keys.filter(wanted), maps.items.filter(wanted))
