"""Name the callees that sent no spans, from what other traces know of their addresses and destinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.observations import FAILURES, HOP_KINDS, HOPS_SCHEMA, Observations
from analysis.tree_columns import Int64s, one_chunk

__all__ = ["SUBSCRIBER_SHARE", "resolve_callees"]

CALL, MESSAGE = HOP_KINDS.index("call"), HOP_KINDS.index("message")
NONE, LOST = FAILURES.index("none"), FAILURES.index("lost_message")

SUBSCRIBER_SHARE = 0.1
"""A service that got at least this part of a sender's messages to a destination is expected to get all of them."""

DOMINANT_SHARE = 0.9
"""An address names a service when at least this part of the calls to it arrived there: a proxy stands before many."""


def resolve_callees(observations: Observations, address_book: Mapping[str, str] | None = None) -> Observations:
    """Fill `callee` in HOPS, tell calls from peers by it, and add a row per subscriber that a message did not reach.

    A callee without spans is named by, in this order: the service that this caller's calls to the address did reach (to
    the same operation, else at all), for messages the destination's subscribers; the peer's own word; `address_book`
    (host:port to name); for messages the destination; the address. It stays null where there is none of these.
    """
    hops = _expand_messages(_join_links(observations))
    callee = _text(hops, "callee")
    missing = pc.and_(pc.is_null(callee), pc.not_equal(hops["kind"], MESSAGE))
    for keys in (("caller", "address", "caller_operation"), ("caller", "address")):
        callee = pc.if_else(pc.and_(missing, pc.is_null(callee)), _usual_callee(hops, keys), callee)
    # A CLIENT span to a service that other calls reach is a call, though this one has no SERVER span to show.
    reached = pc.and_(missing, pc.is_valid(callee))
    kind = pc.if_else(reached, pa.scalar(CALL, pa.int8()), one_chunk(hops["kind"]))
    address = _text(hops, "address")
    booked = _booked(address, address_book or {})
    named = pc.coalesce(callee, _text(hops, "peer"), booked, _text(hops, "destination"), address)
    encoded = named.dictionary_encode().cast(HOPS_SCHEMA.field("callee").type)
    return replace(observations, hops=_with_columns(hops, {"callee": encoded, "kind": kind}))


def _text(hops: pa.Table, name: str) -> pa.Array:
    return one_chunk(hops[name].cast(pa.string()))


def _codes(hops: pa.Table, name: str) -> tuple[Int64s, pa.Array]:
    column = one_chunk(hops[name])
    # By the dictionary alone, which may have a word twice: rows are a thousand times as many.
    words = column.dictionary.dictionary_encode()
    code_of = pc.fill_null(words.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    indices = pc.fill_null(column.indices, len(code_of)).to_numpy(zero_copy_only=False)
    return np.append(code_of, -1)[indices], words.dictionary


def _group(hops: pa.Table, keys: tuple[str, ...]) -> Int64s:
    """One number per row for its combination of keys, -1 where one is null."""
    group = np.zeros(len(hops), np.int64)
    known = np.ones(len(hops), np.bool_)
    for key in keys:
        codes, values = _codes(hops, key)
        group = group * (len(values) + 1) + codes + 1
        known &= codes >= 0
        group = _numbered(group)
    return np.where(known, group, -1)


def _numbered(values: Int64s) -> Int64s:
    """The rank of each value among the distinct ones. O(n) where the values are small, as most are."""
    most = int(values.max(initial=0))
    if most > max(4 * len(values), 1 << 16):
        return np.unique(values, return_inverse=True)[1]
    present = np.zeros(most + 1, np.int64)
    present[values] = 1
    return (np.cumsum(present) - 1)[values]


def _usual_callee(hops: pa.Table, keys: tuple[str, ...]) -> pa.Array:
    """For each row the callee that nearly all calls of its group reached, null where there is none."""
    group = _group(hops, keys)
    callee, names = _codes(hops, "callee")
    arrived = np.flatnonzero((group >= 0) & (callee >= 0))
    pairs, counts = np.unique(group[arrived] * (len(names) + 1) + callee[arrived], return_counts=True)
    owner, name = pairs // (len(names) + 1), pairs % (len(names) + 1)
    groups = int(group.max(initial=-1)) + 1
    totals = np.bincount(owner, weights=counts, minlength=groups)
    usual = np.full(groups + 1, -1, np.int64)
    dominant = counts >= DOMINANT_SHARE * totals[owner]
    usual[owner[dominant]] = name[dominant]
    found = usual[group]
    return names.take(pa.array(found, mask=found < 0))


def _booked(address: pa.Array, address_book: Mapping[str, str]) -> pa.Array:
    listed = pa.array(list(address_book), pa.string())
    names = pa.array(list(address_book.values()), pa.string())
    return names.take(pc.index_in(address, listed))


def _join_links(observations: Observations) -> pa.Table:
    """HOPS with the two sides of each message between two traces in one row; sides without their other are left out."""
    hops = observations.hops
    linked = hops["linked_trace_id"].is_valid().to_numpy()
    if not linked.any():
        return hops
    ids = one_chunk(observations.traces["trace_id"]).take(one_chunk(hops["trace"]))
    senders = np.flatnonzero((hops["kind"].to_numpy() == MESSAGE) & ~linked)
    links = np.flatnonzero(linked)
    first_sends = one_chunk(pc.coalesce(hops["message_span_id"], hops["span_id"])).take(pa.array(senders))
    keys = np.concatenate(
        [
            _keys(
                one_chunk(hops["linked_trace_id"]).dictionary_decode().take(pa.array(links)),
                hops["span_id"].to_numpy()[links],
            ),
            _keys(ids.take(pa.array(senders)), hops["span_id"].to_numpy()[senders]),
            _keys(ids.take(pa.array(senders)), first_sends.to_numpy()),
        ]
    )
    code = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    sender_of = np.full(int(code.max(initial=-1)) + 1, -1, np.int64)
    sender_of[code[len(links) :]] = np.tile(senders, 2)
    sender = sender_of[code[: len(links)]]
    joined = _join(hops, sender[sender >= 0], links[sender >= 0])
    silent = hops["callee"].is_null().to_numpy()
    keep = ~linked
    keep[sender[sender >= 0]] &= ~silent[sender[sender >= 0]]
    return pa.concat_tables([hops.filter(pa.array(keep)), joined]).unify_dictionaries()


def _keys(trace_ids: pa.Array, span_ids: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    whole = np.frombuffer(b"".join(trace_ids.to_pylist()), np.uint64).reshape(-1, 2)
    return np.column_stack([whole, span_ids.astype(np.uint64)])


def _join(hops: pa.Table, sender: Int64s, link: Int64s) -> pa.Table:
    """The senders' rows with what the linked rows know of the consumers."""
    sent, taken = hops.take(pa.array(sender)), hops.take(pa.array(link))
    repeated = np.zeros(len(sender), np.bool_)
    repeated[np.setdiff1d(np.arange(len(sender)), np.unique(sender, return_index=True)[1])] = True
    repeated |= sent["callee"].is_valid().to_numpy()
    waited = taken["start_ns"].to_numpy() - sent["start_ns"].to_numpy() - sent["duration_ns"].to_numpy()
    early = np.minimum(0, taken["start_ns"].to_numpy() - sent["start_ns"].to_numpy())
    failure = np.where(sent["failure"].to_numpy() == LOST, NONE, sent["failure"].to_numpy())
    errors = taken["failure"].to_numpy()
    columns = {
        name: taken[name]
        for name in ("callee", "callee_operation", "callee_instance", "callee_host", "callee_span_id", "callee_ns")
    }
    columns["queue_ns"] = pa.array(np.where(waited >= 0, waited, early))
    columns["failure"] = pa.array(np.where(errors != NONE, errors, failure).astype(np.int8))
    columns["origin"] = pa.array(np.where(errors != NONE, taken["origin"].to_numpy(), failure != NONE))
    for name in ("path_ns", "completion_path_ns"):
        columns[name] = pa.array(np.where(repeated, 0, sent[name].to_numpy()))
    return _with_columns(sent, columns)


def _with_columns(hops: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, column in columns.items():
        hops = hops.set_column(HOPS_SCHEMA.get_field_index(name), HOPS_SCHEMA.field(name), column)
    return hops


def _expand_messages(hops: pa.Table) -> pa.Table:
    """Add a `lost_message` row for each subscriber that a message did not reach; name lost ones by their subscriber."""
    message = hops["kind"].to_numpy() == MESSAGE
    group = np.where(message, _group(hops, ("caller", "destination")), -1)
    callee, names = _codes(hops, "callee")
    # One message: the rows of one send.
    trace, span_id = hops["trace"].to_numpy().astype(np.int64), hops["span_id"].to_numpy()
    rows = np.flatnonzero(group >= 0)
    if not len(rows):
        return hops
    _, first, message_of = np.unique(
        np.stack([trace[rows].view(np.uint64), span_id[rows]], axis=1), axis=0, return_index=True, return_inverse=True
    )
    message_of = message_of.ravel()
    group_of_message = group[rows][first]
    width = len(names) + 1
    reached = np.unique(message_of[callee[rows] >= 0] * width + callee[rows][callee[rows] >= 0])
    subscribers, counts = np.unique(group_of_message[reached // width] * width + reached % width, return_counts=True)
    sent = np.bincount(group_of_message)
    subscribers = subscribers[counts >= SUBSCRIBER_SHARE * sent[subscribers // width]]
    # Every message with every subscriber of its group, less those that arrived.
    begin = np.searchsorted(subscribers // width, group_of_message, side="left")
    many = np.searchsorted(subscribers // width, group_of_message, side="right") - begin
    expected_of = np.repeat(np.arange(len(first)), many)
    place = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(begin, many)
    expected = expected_of * width + subscribers[place] % width
    absent = expected[~np.isin(expected, reached)]
    return _with_lost(hops, rows, first, absent // width, names.take(pa.array(absent % width)), callee)


def _with_lost(
    hops: pa.Table, rows: Int64s, first: Int64s, message: Int64s, subscriber: pa.Array, callee: Int64s
) -> pa.Table:
    """`hops` with a row per absent (message, subscriber), in place of the message's own row if nobody got it."""
    if not len(message):
        return hops
    source = rows[first[message]]
    unnamed = callee[source] < 0
    added = hops.take(pa.array(source))
    # The time on the path belongs to the message's first row alone.
    again = np.concatenate([[False], message[1:] == message[:-1]]) | ~unnamed
    lost = np.where(unnamed, added["failure"].to_numpy(), LOST)
    nothing = {
        "callee_operation": None, "callee_instance": None, "callee_host": None, "callee_ns": None, "queue_ns": None,
    }  # fmt: skip
    columns = {name: pa.nulls(len(added), HOPS_SCHEMA.field(name).type) for name in nothing}
    columns["callee"] = subscriber.dictionary_encode().cast(HOPS_SCHEMA.field("callee").type)
    columns["callee_span_id"] = pa.array(np.zeros(len(added), np.uint64))
    columns["failure"] = pa.array(lost.astype(np.int8))
    columns["origin"] = pa.array(np.ones(len(added), np.bool_))
    for name in ("path_ns", "completion_path_ns"):
        columns[name] = pa.array(np.where(again, 0, added[name].to_numpy()))
    added = _with_columns(added, columns)
    keep = np.ones(len(hops), np.bool_)
    keep[source[unnamed]] = False
    return pa.concat_tables([hops.filter(pa.array(keep)), added]).unify_dictionaries()
