"""What the forward run keeps for the backward run, and what the backward run computes again: a minimum cut."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from recurrency.graph.components import is_cycle, strong
from recurrency.graph.cost import volume
from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.op import FUNCTION, Op, Trait
from recurrency.graph.ops import OPS
from recurrency.graph.roots import TAPE
from recurrency.graph.types import Kind
from recurrency.passes.cut import UNBOUNDED, beyond_cut
from recurrency.passes.recurrence import components
from recurrency.passes.rewriting import number

NOMINAL_STEPS, NOMINAL_BATCH = 64, 16
"""Sizes for which the costs of keeping values are compared."""

DEPTH = 1
"""Cheap operations on the way to one by which the backward run gets a value of a recurrence that is not kept."""


def partition(graph: Graph, first: Iterable[str], second: Iterable[str], recompute: bool = True) -> tuple[Graph, Graph]:
    """Two graphs: of the roots `first` and new roots `tape:K`, and of the roots `second`, in which those are inputs.

    No product, reduction, recurrence, transcendental function or random number is computed twice. Among the partitions
    that satisfy this, and that compute nothing of a recurrence again, the one with the fewest kept numbers is chosen;
    then what one or two cheap operations make of other kept values goes. Without `recompute`, everything that the
    second part reads is kept.
    """
    first, second = list(first), list(second)
    before = set(graph.order([graph.roots[name] for name in first]))
    after = graph.order([graph.roots[name] for name in second])
    shared = [id for id in after if id in before]
    needed = _read_by_second(graph, second, after, before)
    kept = _cut(graph, first, shared, needed) if recompute else _boundary(graph, shared, needed)
    kept = _with_delayed(graph, shared, second, kept)
    if recompute:
        whole = {graph.roots[name] for name in first}
        whole |= {arg for id in after if id not in before and not graph[id].op.elementwise for arg in graph[id].args}
        whole |= {graph[id].args[0] for id in kept if graph[id].delay}
        kept = _without_copies(graph, kept, _plain(graph, shared), whole)
    tape = {TAPE.of(k): id for k, id in enumerate(kept)}
    one = graph.select({**{name: graph.roots[name] for name in first}, **tape})
    return one, _second(graph, {name: graph.roots[name] for name in second}, tape)


def _read_by_second(graph: Graph, second: list[str], after: list[int], before: set[int]) -> set[int]:
    """The shared values that the second part reads, or that are its results."""
    reads = {arg for id in after if id not in before for arg in graph[id].args if arg in before}
    return reads | ({graph.roots[name] for name in second} & before)


def _boundary(graph: Graph, shared: list[int], needed: set[int]) -> list[int]:
    plain = _plain(graph, shared)
    return [id for id in shared if id in needed and id not in plain]


def _plain(graph: Graph, ids: list[int]) -> set[int]:
    """Values that both runs have: sources, literal numbers, and rearrangements of them."""
    plain: set[int] = set()
    for id in ids:
        node = graph[id]
        arranged = node.op.group == "layout" and node.type.kind is Kind.STATIC and all(a in plain for a in node.args)
        if _is_free(node.op) or arranged or number(graph, id) is not None:
            plain.add(id)
    return plain


def _cut(graph: Graph, first: list[str], shared: list[int], needed: set[int]) -> list[int]:
    """The cheapest set of values from which everything needed can be computed.

    Each value is an edge whose capacity is the cost of keeping it. A value that may not be computed again is connected
    to the source of the flow, any other to its arguments.
    """
    again = _recomputable(graph, shared)
    results = {graph.roots[name] for name in first}
    edges: list[tuple[Hashable, Hashable, int]] = []
    for id in shared:
        size = volume(graph[id].type, NOMINAL_STEPS, NOMINAL_BATCH)
        edges.append(((id, 0), (id, 1), 1 if id in results else 1 + size))
        if id in needed:
            edges.append(((id, 1), "to", UNBOUNDED))
        if id not in again:
            edges.append(("from", (id, 0), UNBOUNDED))
            continue
        edges += [((arg, 1), (id, 0), UNBOUNDED) for arg in graph[id].args]
    beyond = beyond_cut(edges, "from", "to")
    return [id for id in shared if (id, 0) not in beyond and (id, 1) in beyond]


def _with_delayed(graph: Graph, shared: list[int], second: list[str], kept: list[int]) -> list[int]:
    """The kept values. A delayed use of one lies in the same memory, a row earlier: it is kept too, and not copied."""
    there = set(kept)
    late = [id for id in shared if graph[id].delay > 0 and graph[id].args[0] in there and id not in there]
    known, read = {*kept, *late}, set[int]()
    later = [graph.roots[name] for name in second]
    seen = set(later)
    while later:
        id = later.pop()
        if id in known:
            read.add(id)
            continue
        new = [a for a in graph[id].args if a not in seen]
        seen.update(new)
        later += new
    return [id for id in shared if id in read]


def _without_copies(graph: Graph, kept: list[int], plain: set[int], whole: set[int]) -> list[int]:
    """The kept values, less those of recurrences that take one or two cheap operations on others that are kept.

    The backward run has both to read else, as of a normalised vector and the centred one that it comes from. What it
    needs in memory anyway, because a product reads it or the forward run returns it, stays: it is `whole`.
    """
    there, dropped = {*kept, *plain}, set[int]()
    for id in reversed(kept):
        node = graph[id]
        if id in whole or node.delay or not node.args or not _is_cheap(node.op) or node.op.group == "layout":
            continue
        if all(_within_reach(graph, arg, there - {id}, DEPTH) for arg in node.args):
            there.discard(id)
            dropped.add(id)
    return [id for id in kept if id not in dropped]


def _within_reach(graph: Graph, id: int, there: set[int], depth: int) -> bool:
    """Whether so many cheap operations make a value of what is there."""
    node = graph[id]
    if id in there:
        return True
    if not depth or node.delay or not node.args or not _is_cheap(node.op):
        return False
    return all(_within_reach(graph, arg, there, depth - (node.op.group != "layout")) for arg in node.args)


def _recomputable(graph: Graph, shared: list[int]) -> set[int]:
    """The values that cost next to nothing to compute again."""
    loops = components(graph)
    again = {id for id in shared if _is_cheap(graph[id].op) and (id not in loops or _is_view(graph[id].op))}
    again |= {id for id in shared if number(graph, id) is not None}
    reads = {id: [arg for arg in graph[id].args if arg in again] for id in shared if id in again}
    return again.difference(*(cycle for cycle in strong(reads) if is_cycle(cycle, reads)))


def _is_free(op: Op) -> bool:
    """Whether both runs have the value: it is a source and not random."""
    return Trait.NAMED in op.traits or (op.group == "source" and Trait.DRAWS not in op.traits)


def _is_view(op: Op) -> bool:
    """Whether it may be computed again even inside a recurrence, because it needs no work."""
    return Trait.VIEW in op.traits and Trait.CLEANS not in op.traits


def _is_cheap(op: Op) -> bool:
    return _is_free(op) or Trait.MOVES in op.traits or op.group == "layout" or (op.elementwise and op.cost < FUNCTION)


def _second(graph: Graph, roots: dict[str, int], tape: dict[str, int]) -> Graph:
    """The graph of these roots, with the values of the tape as inputs."""
    names = {id: name for name, id in tape.items()}
    out = Graph()
    for id in graph:
        node = graph[id]
        if id in names:
            late = {"delayed": 1} if node.delay > 0 else {}
            node = replace(node, op=OPS["input"], args=(), attrs={"name": names[id], "type": node.type, **late})
        out.put(id, node)
    return rebuild(out, roots)
