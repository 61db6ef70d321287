"""Where to draw services and the hops between them: callers left, callees right, no label over another.

Layers are longest paths from the services that nobody calls (cycles are cut at the hop that closes them), the order
inside a layer follows the average of its neighbours (Sugiyama's method with barycentres). Every hop arrives at a port
of its own on its callee's left side, and its label lies on the level stretch before that port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.diagnosis import HopSummary

__all__ = ["HopMap", "MapEdge", "MapNode", "hop_map"]

NODE_WIDTH = 114
LAYER_GAP = 176
PORT_HEIGHT = 36
NODE_GAP = 22
MARGIN = 12
LEVEL_STRETCH = 122
"""Length of the level stretch before a port, where the label lies."""
SWEEPS = 6


@dataclass(frozen=True, slots=True)
class MapNode:
    name: str
    x: float
    y: float
    width: float
    height: float
    remote: bool
    """It sends no spans: a database, cache, broker or third party."""


@dataclass(frozen=True, slots=True)
class MapEdge:
    """`path` is an SVG path; the label goes above (`label_x`, `label_y`)."""

    hop: HopSummary
    path: str
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class HopMap:
    width: float
    height: float
    nodes: tuple[MapNode, ...]
    edges: tuple[MapEdge, ...]


def hop_map(hops: Sequence[HopSummary]) -> HopMap:
    """Coordinates in SVG user units, the same for the same hops in any order. O(hops * layers)."""
    edges = sorted(hops, key=lambda hop: (hop.hop, hop.kind))
    ends = [tuple(hop.hop.partition("->")[::2]) for hop in edges]
    names = sorted({name for pair in ends for name in pair})
    callees: dict[str, list[str]] = {name: [] for name in names}
    for caller, callee in ends:
        if callee not in callees[caller] and caller != callee:
            callees[caller].append(callee)
    layers = _ordered(_layers(callees), callees)
    arriving = {name: [i for i, (_, callee) in enumerate(ends) if callee == name] for name in names}
    remote = {callee for hop, (_, callee) in zip(edges, ends, strict=True) if hop.kind == "peer"}
    remote -= {caller for caller, _ in ends}
    nodes = _placed(layers, arriving, remote)
    width = max((node.x + node.width for node in nodes.values()), default=0.0) + MARGIN
    height = max((node.y + node.height for node in nodes.values()), default=0.0) + MARGIN
    drawn = [
        _edge(hop, nodes[caller], nodes[callee], _port(nodes, arriving, ends, index))
        for index, (hop, (caller, callee)) in enumerate(zip(edges, ends, strict=True))
    ]
    return HopMap(width, height, tuple(nodes.values()), tuple(drawn))


def _layers(callees: Mapping[str, list[str]]) -> list[list[str]]:
    """Longest path from the services without callers; hops that close a cycle do not count."""
    forward = _without_cycles(callees)
    called = {callee for names in forward.values() for callee in names}
    depth = dict.fromkeys(callees, 0)
    pending = [name for name in callees if name not in called]
    waiting = {name: sum(name in names for names in forward.values()) for name in callees}
    while pending:
        caller = pending.pop()
        for callee in forward[caller]:
            depth[callee] = max(depth[callee], depth[caller] + 1)
            waiting[callee] -= 1
            if not waiting[callee]:
                pending.append(callee)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, layer in depth.items():
        layers[layer].append(name)
    return layers


def _without_cycles(callees: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The same graph without the edges that lead back to a service on the way to it (depth first, iteratively)."""
    forward: dict[str, list[str]] = {name: [] for name in callees}
    done: set[str] = set()
    called = {callee for names in callees.values() for callee in names}
    for start in sorted(callees, key=lambda name: (name in called, name)):
        on_the_way: dict[str, Iterable[str]] = {} if start in done else {start: iter(callees[start])}
        while on_the_way:
            caller, rest = next(reversed(on_the_way.items()))
            callee = next(iter(rest), None)
            if callee is None:
                done.add(caller)
                del on_the_way[caller]
            elif callee not in on_the_way:
                forward[caller].append(callee)
                if callee not in done:
                    on_the_way[callee] = iter(callees[callee])
    return forward


def _ordered(layers: list[list[str]], callees: Mapping[str, list[str]]) -> list[list[str]]:
    callers = {name: [caller for caller, names in callees.items() if name in names] for name in callees}
    for sweep in range(SWEEPS):
        rank = {name: index / max(len(layer) - 1, 1) for layer in layers for index, name in enumerate(layer)}
        neighbours = callees if sweep % 2 else callers

        def centre(name: str, rank: dict[str, float] = rank, beside: Mapping[str, list[str]] = neighbours) -> float:
            near = [rank[other] for other in beside[name]]
            return sum(near) / len(near) if near else rank[name]

        layers = [sorted(layer, key=lambda name: (centre(name), name)) for layer in layers]
    return layers


def _placed(
    layers: Sequence[Sequence[str]], arriving: Mapping[str, Sequence[int]], remote: set[str]
) -> dict[str, MapNode]:
    heights = {name: float(PORT_HEIGHT * max(len(ports), 1)) for name, ports in arriving.items()}
    tallest = max((sum(heights[n] + NODE_GAP for n in layer) - NODE_GAP for layer in layers), default=0.0)
    nodes: dict[str, MapNode] = {}
    for depth, layer in enumerate(layers):
        used = sum(heights[name] + NODE_GAP for name in layer) - NODE_GAP
        y = MARGIN + (tallest - used) / 2
        for name in layer:
            x = MARGIN + depth * (NODE_WIDTH + LAYER_GAP)
            nodes[name] = MapNode(name, float(x), y, float(NODE_WIDTH), heights[name], name in remote)
            y += heights[name] + NODE_GAP
    return nodes


def _port(
    nodes: Mapping[str, MapNode],
    arriving: Mapping[str, Sequence[int]],
    ends: Sequence[tuple[str, ...]],
    index: int,
) -> float:
    """The height at which a hop arrives: ports of one callee are sorted by the height of the callers."""
    callee = ends[index][1]
    order = sorted(arriving[callee], key=lambda other: (nodes[ends[other][0]].y, other))
    return nodes[callee].y + PORT_HEIGHT * (order.index(index) + 0.5)


def _edge(hop: HopSummary, caller: MapNode, callee: MapNode, port_y: float) -> MapEdge:
    x, y = caller.x + caller.width, caller.y + caller.height / 2
    level_x = callee.x - LEVEL_STRETCH
    if callee.x <= caller.x:
        # Backwards, or to itself: around below both, still level before the port.
        below = max(caller.y + caller.height, callee.y + callee.height) + NODE_GAP * 0.8
        path = f"M{x:.1f},{y:.1f} C{x + 40:.1f},{below:.1f} {level_x - 40:.1f},{below:.1f} {level_x:.1f},{port_y:.1f}"
    else:
        bend = (level_x - x) * 0.55
        path = f"M{x:.1f},{y:.1f} C{x + bend:.1f},{y:.1f} {level_x - bend:.1f},{port_y:.1f} {level_x:.1f},{port_y:.1f}"
    path += f" L{callee.x - 7:.1f},{port_y:.1f}"
    return MapEdge(hop, path, level_x + 2, port_y - 5)
