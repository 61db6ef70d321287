"""Find the crossings of a batch of traces: calls, messages and peers, and which span carries each.

A *carrier* is the CLIENT or PRODUCER span of a crossing: its own time is wire, peer or sending time, not work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.kernel import kernel
from analysis.span_table import KIND_CLIENT, KIND_CONSUMER, KIND_INTERNAL, KIND_PRODUCER, KIND_SERVER
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s

__all__ = ["CALL", "CONTINUATION", "MESSAGE", "PEER", "Crossings", "find_crossings"]

UNKNOWN, INTERNAL, SERVER, CLIENT = 0, KIND_INTERNAL, KIND_SERVER, KIND_CLIENT
PRODUCER, CONSUMER = KIND_PRODUCER, KIND_CONSUMER

CALL, MESSAGE, PEER, CONTINUATION = 0, 1, 2, 3
"""Codes of HOP_KINDS, and one more that is no hop: a consumer that goes on in a later span of its own service."""


@dataclass(frozen=True)
class Crossings:
    """One entry per crossing in the first five, one per span in the others; positions, -1 for none.

    `caller` is the carrier, for an inferred crossing the span of the caller that the callee hangs under.
    """

    kind: Int8s
    caller: Int64s
    callee: Int64s
    inferred: Int8s
    head: Int64s  # of a message: the first of its PRODUCER spans, the same for every consumer of it
    carrier: Int64s  # of each span: the carrier that its own time belongs to
    hop: Int64s  # of each carrier: its first crossing
    asynchronous: Int8s  # of each span: entered through a message that nobody waits for
    via: Int64s  # of each such span: the crossing that it was reached by from the root; -1 where it was not
    last: Int64s  # of each trace: the message callee whose end is the trace's completion, -1 if that is the root's end

    def __len__(self) -> int:
        return len(self.kind)


def find_crossings(forest: Forest) -> Crossings:
    count, columns, links = len(forest), forest.columns, forest.links
    most = 2 * count + len(links.source)
    inputs = (columns.start_ns, forest.end_ns, columns.kind, columns.service.codes, forest.parent, forest.top_down)
    cross, below = np.zeros(count, np.int8), np.zeros(count, np.int8)
    caller, carrier, head, member = (np.full(count, -1, np.int64) for _ in range(4))
    callees, only_child = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    pair_spans.run(count, inputs, (below, only_child, cross, caller, carrier, head, member, callees))

    row_kind, inferred = np.zeros(most, np.int8), np.zeros(most, np.int8)
    row_caller, row_callee, row_head = (np.full(most, -1, np.int64) for _ in range(3))
    sent_by, hop = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    asynchronous = np.zeros(count, np.int8)
    rows = list_crossings.run(
        count,
        (*inputs[:4], forest.parent, forest.up, below, cross, caller, head, member, links.source, links.target),
        (callees, carrier, sent_by, hop, asynchronous, row_kind, inferred, row_caller, row_callee, row_head),
    )
    via, domain = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    reached, last = np.zeros(count, np.int8), np.full(forest.traces, -1, np.int64)
    messages = np.flatnonzero((row_kind[:rows] == MESSAGE) | (row_kind[:rows] == CONTINUATION))
    messages = messages[row_callee[messages] >= 0]
    if len(messages):
        reach_consumers.run(
            count,
            (
                forest.end_ns, forest.parent, forest.top_down, forest.trace, forest.root, asynchronous,
                messages, row_caller[messages], row_callee[messages],
            ),
            (domain, reached, via, last),
        )  # fmt: skip
    return Crossings(
        row_kind[:rows], row_caller[:rows], row_callee[:rows], inferred[:rows], row_head[:rows],
        carrier, hop, asynchronous, via, last,
    )  # fmt: skip


@kernel
def pair_spans(  # type: ignore[no-untyped-def]
    start, end, kind, service, parent, top_down, below, only_child, cross, caller, carrier, head, member, callees
):
    """Decide for each span whether it was entered from another span's service, and which span carries its own time.

    `cross`: 1 a call, 2 a message, 3 a call without a CLIENT span, 4 a consumer going on. `below`: the span has CLIENT
    or PRODUCER spans of its own service under it. `member` chains the PRODUCER spans of one message from `head` on.
    """
    count = len(parent)
    for i in range(count):
        p = top_down[count - 1 - i]
        q = parent[p]
        if q < 0:
            continue
        only_child[q] = p if only_child[q] == -1 else -2
        if service[p] == service[q]:
            sends = kind[p] == CLIENT or kind[p] == PRODUCER
            if sends or (below[p] != 0 and (kind[p] == UNKNOWN or kind[p] == INTERNAL)):
                below[q] = 1
    for i in range(count):
        p = top_down[i]
        q = parent[p]
        if q >= 0:
            same = service[p] == service[q] or service[p] < 0 or service[q] < 0
            if kind[p] == CONSUMER:
                if same and kind[q] == CONSUMER:
                    if start[p] >= end[q]:
                        cross[p], caller[p] = 4, q
                elif not same or kind[q] == PRODUCER or kind[q] == CLIENT:
                    cross[p], caller[p] = 2, q
            elif kind[p] == SERVER or not same:
                if kind[q] == PRODUCER:
                    cross[p], caller[p] = 2, q
                elif carrier[q] >= 0:
                    cross[p], caller[p] = 1, carrier[q]
                elif not same:
                    cross[p], caller[p] = 3, q
            if cross[p] != 0 and cross[p] != 4:
                callees[caller[p]] += 1
        if kind[p] == CLIENT or kind[p] == PRODUCER:
            carrier[p] = p
        elif kind[p] <= INTERNAL and q >= 0 and cross[p] == 0:
            if carrier[q] >= 0 and service[p] == service[q]:
                carrier[p] = carrier[q]
            elif (
                kind[p] == UNKNOWN
                and service[p] == service[q]
                and only_child[p] >= 0
                and service[only_child[p]] != service[p]
            ):
                # Kinds are missing. A span below its service's entry whose only child is another service's: a client.
                carrier[p] = p
        if kind[p] == PRODUCER:
            if q >= 0 and kind[q] == PRODUCER and service[q] == service[p]:
                head[p] = head[q]
                member[p] = member[head[q]]
                member[head[q]] = p
            else:
                head[p] = p


@kernel
def last_send(head, at, start, end, member, sent_by):  # type: ignore[no-untyped-def]
    """Of the PRODUCER spans of one message, the last to end by `at`; where none has, the first to start."""
    best = -1
    first = head
    p = head
    while p >= 0:
        for side in range(2):
            q = p if side == 0 else sent_by[p]
            if q < 0:
                continue
            if start[q] < start[first]:
                first = q
            if end[q] <= at and (best < 0 or end[q] > end[best] or (end[q] == end[best] and q > best)):
                best = q
        p = member[p]
    return best if best >= 0 else first


@kernel
def list_crossings(  # type: ignore[no-untyped-def]
    start, end, kind, service, parent, up, below, cross, caller, head, member, link_source, link_target,
    callees, carrier, sent_by, hop, asynchronous, row_kind, inferred, row_caller, row_callee, row_head,
):  # fmt: skip
    """Write one row per crossing, in the order of the callees (or of the callers that have none). Returns how many."""
    far = 9223372036854775807
    for i in range(len(link_source)):
        s, t = link_source[i], link_target[i]
        if kind[t] != PRODUCER:
            continue
        if (kind[s] == PRODUCER or kind[s] == CLIENT) and service[s] == service[t]:
            sent_by[t] = s
            callees[s] += 1
        else:
            callees[head[t]] += 1
    # A message's consumers are the head's, whichever of its spans they name as parent.
    for p in range(len(parent)):
        if kind[p] == PRODUCER and head[p] != p:
            callees[head[p]] += callees[p]
    rows = 0
    link = 0
    for p in range(len(parent)):
        c = caller[p]
        if cross[p] == 1 or cross[p] == 3:
            row_kind[rows], row_caller[rows], row_callee[rows] = CALL, c, p
            inferred[rows] = 1 if cross[p] == 3 else 0
            if cross[p] == 1 and hop[c] < 0:
                hop[c] = rows
            rows += 1
        elif cross[p] == 2 or cross[p] == 4:
            group = head[c]
            send = last_send(group, start[p], start, end, member, sent_by) if group >= 0 else c
            row_kind[rows] = MESSAGE if cross[p] == 2 else CONTINUATION
            row_caller[rows], row_callee[rows], row_head[rows] = send, p, group if group >= 0 else c
            inferred[rows] = 0 if carrier[send] == send else 1
            if cross[p] == 2 and hop[send] < 0:
                hop[send] = rows
            q = up[p]
            if q < 0 or end[p] > end[q] or start[p] >= end[q]:
                asynchronous[p] = 1
            rows += 1
        while link < len(link_source) and link_source[link] < p:
            link += 1
        while link < len(link_source) and link_source[link] == p:
            t = link_target[link]
            link += 1
            repeated = cross[p] == 2 and head[t] >= 0 and head[c] == head[t]
            sends = kind[p] == PRODUCER or kind[p] == CLIENT
            if repeated or sends or (kind[p] != CONSUMER and kind[t] != PRODUCER):
                continue
            group = head[t]
            send = last_send(group, start[p], start, end, member, sent_by) if group >= 0 else t
            row_kind[rows], row_caller[rows], row_callee[rows] = MESSAGE, send, p
            row_head[rows] = group if group >= 0 else t
            inferred[rows] = 0 if carrier[send] == send else 1
            if hop[send] < 0:
                hop[send] = rows
            asynchronous[p] = 1
            rows += 1
        if kind[p] == CLIENT and callees[p] == 0 and below[p] == 0:
            row_kind[rows], row_caller[rows] = PEER, p
            hop[p] = rows
            rows += 1
        if kind[p] == PRODUCER and head[p] == p and callees[p] == 0:
            send = last_send(p, far, start, end, member, sent_by)
            row_kind[rows], row_caller[rows], row_head[rows] = MESSAGE, send, p
            hop[send] = rows
            rows += 1
    # A CLIENT span around other CLIENT spans, or a PRODUCER span that is not the send, carries nothing itself.
    for p in range(len(parent)):
        if carrier[p] >= 0 and hop[carrier[p]] < 0:
            carrier[p] = -1
    return rows


@kernel
def reach_consumers(  # type: ignore[no-untyped-def]
    end, parent, top_down, trace, root, asynchronous, message, caller, callee, domain, reached, via, last
):
    """Follow messages from each root, and find the callee reached that ends last, if that is after the root.

    `domain[p]` is the message callee or tree top that p stands under. Messages stand in the order of their callees, so
    the rows of one callee are neighbours.
    """
    for i in range(len(top_down)):
        p = top_down[i]
        domain[p] = p if parent[p] < 0 or asynchronous[p] != 0 else domain[parent[p]]
    for t in range(len(root)):
        reached[domain[root[t]]] = 1
    changed = True
    while changed:
        changed = False
        i = 0
        while i < len(message):
            p = callee[i]
            best = -1
            while i < len(message) and callee[i] == p:
                if reached[domain[caller[i]]] != 0 and (best < 0 or end[caller[i]] > end[caller[best]]):
                    best = i
                i += 1
            if best < 0 or asynchronous[p] == 0 or reached[p] != 0:
                continue
            # Reached only now, from spans reached before: following `via` back cannot run in a circle.
            reached[p] = 1
            via[p] = message[best]
            changed = True
            t = trace[p]
            if end[p] > end[root[t]] and (last[t] < 0 or end[p] > end[last[t]]):
                last[t] = p
