"""How a hop is written: `gateway->payment`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["callee_names", "hop_names"]


def callee_names(hops: pa.Table) -> pa.Array:
    """The best word for each callee: its service, the peer's name, the message's destination, the address, else `?`."""
    words = [_text(hops[name]) for name in ("callee", "peer", "destination", "address")]
    return pc.coalesce(*words, pa.scalar("?"))


def hop_names(hops: pa.Table) -> pa.Array:
    """One name per row of HOPS."""
    caller = pc.coalesce(_text(hops["caller"]), pa.scalar("?"))
    return pc.binary_join_element_wise(caller, callee_names(hops), "->")


def _text(column: pa.ChunkedArray) -> pa.Array:
    text = column.cast(pa.string())
    combined = text.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
