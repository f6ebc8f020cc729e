"""The graphs behind a model's calls: gradients, and products of the Jacobian and the Hessian with vectors.

Each function takes the graph of a cell and returns a new one. Names of sources and roots:

    d:output:y, d:final:h      inputs: the adjoints of outputs and of states after the last step (of any root, if named)
    gradient:W                 roots: gradients of parameters
    gradient:input:x, gradient:start:h                     roots: gradients of inputs and first states
    tangent:param:W, tangent:input:x, tangent:start:h      inputs: directions
    tangent:output:y, tangent:final:h                      roots: directional derivatives
    d:gradient:W, d:gradient:input:x                       inputs: the adjoints of gradients, for second derivatives
    gradient:d:output:y                                    roots: gradients of adjoints
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.roots import ADJOINT, FINAL, GRADIENT, INPUT, OUTPUT, PARAM, START, TANGENT, in_any
from recurrency.graph.types import Type
from recurrency.graph.value import Value, constant
from recurrency.passes.differentiate import differentiate, zeros

SOURCES = {"params": "param", "inputs": "input", "state": "start"}
"""The groups that gradients are taken with respect to, and the operation of their nodes."""


def sources(graph: Graph, wrt: Collection[str]) -> dict[str, int]:
    """The real-valued parameters, inputs and first states of a graph: root of the gradient -> node."""
    groups = {"params": GRADIENT, "inputs": GRADIENT.nested(INPUT), "state": GRADIENT.nested(START)}
    return {
        groups[group].of(name): id
        for group, op in SOURCES.items()
        if group in wrt
        for name, id in graph.sources(op).items()
        if graph[id].type.index is None and "fixed" not in graph[id].attrs
    }


def results(graph: Graph) -> dict[str, int]:
    """The real-valued outputs and states after the last step: root -> node."""
    found = {r: id for r, id in graph.roots.items() if in_any(r, OUTPUT, FINAL)}
    return {root: id for root, id in found.items() if graph[id].type.index is None}


def backward(graph: Graph, seeded: Collection[str] | None = None, wrt: Collection[str] = tuple(SOURCES)) -> Graph:
    """The graph and its gradients, for given adjoints of its results, or of the real roots `seeded` alone."""
    out = rebuild(graph)
    wanted = sources(out, wrt)
    seeds: dict[int, Value] = {}
    for root in results(out) if seeded is None else seeded:
        id = out.roots[root]
        add_seed(seeds, id, add_input(out, ADJOINT.of(root), out[id].type))
    _add_gradients(out, seeds, wanted)
    return out


def second(graph: Graph, seeded: Collection[str]) -> Graph:
    """Second derivatives: given adjoints of the gradients of `backward`, gradients of all sources and of `seeded`."""
    out = backward(graph, seeded)
    wanted = {root: id for root, id in sources(out, SOURCES).items() if root in out.roots}
    seeds: dict[int, Value] = {}
    for root, id in wanted.items():
        add_seed(seeds, out.roots[root], add_input(out, ADJOINT.of(root), out[id].type))
    inputs = out.sources("input")
    wanted |= {GRADIENT.of(ADJOINT.of(root)): inputs[ADJOINT.of(root)] for root in seeded}
    again = differentiate(out, seeds, wanted.values())
    return rebuild(out, {root: again[id].id for root, id in wanted.items()})


def loss_gradients(graph: Graph, wrt: Collection[str] = ("params",)) -> Graph:
    """The graph and the gradients of its loss."""
    out = rebuild(graph)
    _add_gradients(out, {out.roots["loss"]: constant(out, 1.0)}, sources(out, wrt))
    return out


def _add_gradients(graph: Graph, seeds: Mapping[int, Value], wanted: Mapping[str, int]) -> None:
    adjoints = differentiate(graph, seeds, wanted.values())
    graph.roots.update({root: adjoints[id].id for root, id in wanted.items()})


def forward_mode(graph: Graph, along: Collection[str]) -> Graph:
    """Derivatives of the results along the sources `along`, such as `param:W`, by transposing twice.

    The adjoint graph is linear in its seeds. Differentiating it with respect to them, with the directions as adjoints
    of the gradients, gives the product with the Jacobian.
    """
    out = rebuild(graph)
    wanted = {f"{op}:{name}": id for op in SOURCES.values() for name, id in out.sources(op).items()}
    directions = {
        id: add_input(out, TANGENT.of(name), out[id].type)
        for name, id in wanted.items()
        if name in along and out[id].type.index is None
    }
    tangents = jacobian_product(out, results(out).values(), directions)
    roots = {TANGENT.of(root): tangents[id].id for root, id in results(out).items()}
    return without_seeds(out, roots)


def jacobian_product(graph: Graph, of: Iterable[int], along: Mapping[int, Value]) -> dict[int, Value]:
    """The derivatives of some nodes along directions of others, added to the graph.

    The graph then has inputs `u:` whose value is zero; `without_seeds` removes them.
    """
    of = list(dict.fromkeys(of))
    u = {id: add_input(graph, f"u:{id}", graph[id].type) for id in of}
    adjoints = differentiate(graph, u, list(along))
    seeds: dict[int, Value] = {}
    for id, direction in along.items():
        add_seed(seeds, adjoints[id].id, direction)
    tangents = differentiate(graph, seeds, [v.id for v in u.values()])
    return {id: tangents[u[id].id] for id in of}


def without_seeds(graph: Graph, roots: Mapping[str, int]) -> Graph:
    """The graph with zero in place of the inputs `u:`, in which it is linear."""

    def visit(out: Graph, node: Node, old: int) -> Value:
        if Trait.INPUT in node.op.traits and str(node.attrs["name"]).startswith("u:"):
            return zeros(out, node.type)
        return out.insert(node)

    return rebuild(graph, roots, visit)


def hessian_product(graph: Graph) -> Graph:
    """The product of the Hessian of the loss in the parameters with a vector (`tangent:param:W`)."""
    out = loss_gradients(graph)
    gradients = sources(out, ["params"])
    seeds: dict[int, Value] = {}
    for root, id in gradients.items():
        add_seed(seeds, out.roots[root], add_direction(out, root, id))
    again = differentiate(out, seeds, gradients.values())
    return rebuild(out, {root: again[id].id for root, id in gradients.items()})


def add_seed(seeds: dict[int, Value], id: int, value: Value) -> None:
    """Add to the adjoint of a node (two results may be one node)."""
    seeds[id] = seeds[id] + value if id in seeds else value


def add_input(graph: Graph, name: str, type_: Type) -> Value:
    """A new input of the graph."""
    return graph.add("input", [], {"name": name, "type": type_})


def add_direction(graph: Graph, root: str, param: int) -> Value:
    """The direction of the parameter whose gradient is `root`."""
    return add_input(graph, TANGENT.of(PARAM.of(GRADIENT.name(root))), graph[param].type)
