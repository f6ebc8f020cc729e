"""The graph of a cell that runs in chunks of steps. Losses of each step are kept apart from losses of one step."""

from __future__ import annotations

from collections.abc import Iterable

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import FINAL, LOSS, OUTPUT, STREAM, WEIGHT, Group, in_any
from recurrency.passes.loss_lines import clock_of, lines, over_steps, total
from recurrency.passes.rewriting import made_by

STEPS = LOSS.of("steps")
"""A root: the sum over all steps and sequences of the loss lines that are means over all steps."""

EACH = Group(LOSS.of("step:"))
"""Roots: the streams that `loss:steps` adds up."""


def in_chunks(graph: Graph, streams: Iterable[str] = ()) -> Graph:
    """The graph of results and some streams, with a root for each kind of loss line (`loss_roots`).

    The loss is `loss:steps / max(1, n)`, where n counts the steps of all sequences together, plus each line with
    weights divided by their sum, plus the other roots. The sum has gradients too, so the weights keep their roots.
    """
    out = _selected(graph, streams)
    found = lines(out)
    out.roots.pop("loss", None)
    for kind, root in loss_roots(found).items():
        ids = [out[id].args[0] if over_steps(kind) else id for id in found[kind]]
        out.roots[root] = total(out, ids).id
    return out.select(out.roots)


def loss_roots(kinds: Iterable[str]) -> dict[str, str]:
    """Each kind of loss line -> its root."""
    return {kind: LOSS.of(kind) if clock_of(kind) is None else STEPS for kind in kinds}


def of_each_step(graph: Graph, streams: Iterable[str] = ()) -> Graph:
    """The same graph, with the streams before their sums over time as roots EACH: sums of chunks can be added up."""
    out = _selected(graph, streams)
    found = lines(out)
    for root in [root for root in out.roots if root == "loss" or WEIGHT.has(root)]:
        del out.roots[root]
    for kind, ids in found.items():
        if not over_steps(kind):
            out.roots[LOSS.of(kind)] = total(out, ids).id
        else:
            inner = [_below(out, id, "divide", "sum_batch", "sum_time") for id in ids]
            out.roots |= {EACH.of(f"{kind}:{k}"): id for k, id in enumerate(inner)}
    return out.select(out.roots)


def reached(graph: Graph, roots: Iterable[str]) -> set[str]:
    """Some roots, and the final states that these roots of a later call depend on."""
    found = set(roots)
    while more := {FINAL.of(name) for name in _starts(graph, found)} - found:
        found |= more
    return found


def _starts(graph: Graph, roots: Iterable[str]) -> set[str]:
    """The states whose initial values some roots depend on."""
    nodes = [graph[id] for id in graph.order([graph.roots[root] for root in roots])]
    return {node.attrs["name"] for node in nodes if Trait.FIRST in node.op.traits}


def _selected(graph: Graph, streams: Iterable[str]) -> Graph:
    kept = [root for root in graph.roots if in_any(root, OUTPUT, FINAL, WEIGHT) or root == "loss"]
    return graph.select([*kept, *(STREAM.of(name) for name in streams)])


def _below(graph: Graph, id: int, *ops: str) -> int:
    """The value below these operations, each of which is the first argument of the one before."""
    for op in ops:
        node = made_by(graph, id, op)
        assert node is not None, f"{graph[id].op.name} stands where a mean over steps has {op}"
        id = node.args[0]
    return id
