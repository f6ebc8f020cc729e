"""Products of the Gauss-Newton matrix of a loss with vectors, and structural damping.

Names of sources and roots are as in `recurrency.passes.derivatives`; in addition:

    curvature:0, curvature:1, ...     roots of the argument: the predictions that the losses read
    damping:h                         inputs: the weight of the structural damping of a stream
"""

from __future__ import annotations

from collections.abc import Collection

from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.roots import DAMPING, STREAM
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.passes import convexity
from recurrency.passes.derivatives import (
    add_direction,
    add_input,
    add_seed,
    jacobian_product,
    sources,
    without_seeds,
)
from recurrency.passes.differentiate import differentiate
from recurrency.passes.loss_lines import divisor


def gauss_newton_product(graph: Graph, predictions: int, damped: Collection[str] = (), matching: bool = True) -> Graph:
    """J' H J v. J is the Jacobian of the heads that the loss reads, H the Hessian of the loss in them.

    Heads are the predictions of losses, and values in which other formulas are convex (`recurrency.passes.convexity`).
    Terms that read parameters without a head in between, such as regularisers, contribute their own Hessian. The
    losses must read the very nodes `curvature:K`, so this works on graphs before any pass. (Martens and Sutskever 2011,
    section 3; Schraudolph 2002) The result has the roots of the graph too, which depend on no direction.

    `damped` names streams whose structural damping is added, each times an input `damping:NAME`; see `_damping`.
    """
    out = rebuild(graph)
    params = sources(out, ["params"])
    heads = convexity.loss_heads(out, _declared(out, predictions))
    inner = {name: out.roots[STREAM.of(name)] for name in damped}
    v = {id: add_direction(out, root, id) for root, id in params.items()}
    tangents = jacobian_product(out, sorted({*heads, *inner.values()}), v)
    moved = {**{id: tangents[id] for id in heads}, **v}
    first = differentiate(out, {out.roots["loss"]: constant(out, 1.0)}, list(moved), heads)
    seeds: dict[int, Value] = {}
    for id, direction in moved.items():
        add_seed(seeds, first[id].id, direction)
    curved = differentiate(out, seeds, list(moved), heads)
    back: dict[int, Value] = {id: curved[id] for id in heads}
    for name, id in inner.items():
        _damping(out, name, id, tangents[id], matching, back)
    moved_back = differentiate(out, back, list(v))
    products = {root: (moved_back[id] + curved[id]).id for root, id in params.items()}
    return without_seeds(out, {**out.roots, **products})


def obstacle(graph: Graph, predictions: int) -> str:
    """Why the Gauss-Newton matrix says little about a loss ("" where it is a model of its curvature)."""
    return convexity.obstacle(graph, _declared(graph, predictions))


def _declared(graph: Graph, predictions: int) -> set[int]:
    """The predictions that functions of the language declare, except for parameters."""
    return {graph.roots[f"curvature:{k}"] for k in range(predictions)} - set(graph.sources("param").values())


def _damping(graph: Graph, name: str, id: int, moved: Value, matching: bool, seeds: dict[int, Value]) -> None:
    """Add the adjoint for J' C J v, with the Jacobian J of stream z and the curvature C of its damping, to the seeds.

    The damping is a distance D(z; z_n) from the values z_n of now, summed over all steps and divided like the loss: by
    the number of sequences, or by the number of steps if the loss is a mean over steps. D is |z - z_n|^2 / 2, except
    that it matches z = e(t) if e is tanh or logistic: then (D o e)''(t) = e'(t), which is 1 - z^2 or z (1 - z), and the
    adjoint of t is e'(t) R{t} = R{z}. (Martens and Sutskever 2011, section 3.2)
    """
    node = graph[id]
    if matching and Trait.SQUASHES in node.op.traits:
        id = node.args[0]
    weight = add_input(graph, DAMPING.of(name), Type(Kind.STATIC))
    add_seed(seeds, id, moved * (weight / divisor(graph)))
