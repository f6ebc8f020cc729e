"""The gradient rule of each operation of a cell by itself, against differences: which one is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import find
from recurrency.derivatives import backward, loss_gradients
from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Kind, Type
from recurrency.passes.differentiate import differentiate
from recurrency.program.layout import Layout
from recurrency.programs import Programs
from recurrency.testing.bench import bench
from recurrency.testing.blame import described
from recurrency.testing.slopes import AGREE, SILENT, measured

if TYPE_CHECKING:
    from recurrency.graph.ops import Array
    from recurrency.spec import Spec
    from recurrency.testing.case import Case

LAWS = (
    lambda rng, shape: rng.standard_normal(shape),
    lambda rng, shape: 0.5 + rng.random(shape),
)
"""Arguments: of both signs, and positive ones for logarithms and roots."""

LENGTHS = (3, 4, 1)
"""Of three sequences, on each clock."""

SWEEP = "no rule of an operation: what puts them together (differentiate, derivatives)"


def wrong_rule(spec: Spec, case: Case) -> str:
    """The operation whose gradient rule is wrong, in the cell itself, else in its gradient."""
    programs = bench(spec).reference_model(case).programs
    for graph in _graphs(programs):
        seen = set()
        for id in graph.order():
            node = graph[id]
            types = tuple(graph[a].type for a in node.args)
            mark = (node.op.name, repr(sorted((k, str(v)) for k, v in node.attrs.items() if k != "name")), types)
            if node.op.gradient is not None and node.op.name not in SILENT and mark not in seen:
                seen.add(mark)
                if rule_is_wrong(node, types):
                    return f"gradient rule of {described(node)}"
    return SWEEP


def _graphs(programs: Programs) -> list[Graph]:
    """The cell, and its gradient, without any pass."""
    whole = programs.elaborated.graph
    gradients = loss_gradients(whole) if "loss" in whole.roots else backward(whole)
    return [whole, gradients]


def rule_is_wrong(node: Node, types: tuple[Type, ...]) -> bool:
    """Whether the rule of one operation, for arguments of these types, is not what differences say."""
    graph = Graph()
    args = [graph.add("input", [], {"name": f"a{k}", "type": t}) for k, t in enumerate(types)]
    y = graph.add(node.op, [a.id for a in args], node.attrs)
    real = {f"a{k}": a.id for k, a in enumerate(args) if a.type.index is None}
    if y.type.index is not None or not real:
        return False
    graph.roots["y"] = y.id
    weight = graph.add("input", [], {"name": "w", "type": y.type})
    adjoints = differentiate(graph, {y.id: weight}, real.values())
    graph.roots |= {f"d{n}": adjoints[id].id for n, id in real.items()}
    return any(_disagrees(graph, real, k) for k in range(len(LAWS)))


def _disagrees(graph: Graph, real: dict[str, int], law: int) -> bool:
    """Whether the derivative of the weighted result along a random direction is not what differences say."""
    rng = np.random.default_rng(law)
    clocks = sorted({str(graph[i].type.clock) for i in graph if graph[i].type.clock} | _sizes(graph)) or ["t"]
    lengths = {clock: np.array(LENGTHS) for clock in clocks}
    given = {n: _array(graph[i].type, LAWS[law], rng, lengths) for n, i in graph.sources("input").items()}
    tangent = {n: rng.standard_normal(given[n].shape) for n in real}
    runner = find("interpreter").build(graph, Layout({}, 0), "float64")

    def moved(by: float) -> dict[str, Array]:
        arrays = {n: a + by * tangent[n] if n in tangent else a for n, a in given.items()}
        steps = dict.fromkeys(clocks, max(LENGTHS))
        return runner(np.zeros(0), arrays, lengths, steps, len(LENGTHS), False, 0, None)

    found = moved(0.0)
    terms = [found[f"d{n}"] * t for n, t in tangent.items()]
    exact, scale = sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)
    number, doubt = measured(lambda by: float((moved(by)["y"] * given["w"]).sum()))
    scale = max(scale, abs(number), 1.0)
    sure = bool(np.isfinite([exact, number, doubt]).all()) and doubt <= AGREE * scale
    return sure and abs(exact - number) > 2 * AGREE * scale


def _sizes(graph: Graph) -> set[str]:
    return {d for i in graph for d in graph[i].type.shape if isinstance(d, str)}


def _array(type_: Type, law: Any, rng: np.random.Generator, lengths: dict[str, Array]) -> Array:
    """An array of a type for three sequences."""
    steps = {clock: int(n.max()) for clock, n in lengths.items()}
    lead = {Kind.STREAM: (steps.get(str(type_.clock), 0), 3), Kind.SEQUENCE: (3,), Kind.STATIC: ()}[type_.kind]
    shape = (*lead, *(steps[d] if isinstance(d, str) else int(d) for d in type_.shape))  # type: ignore[arg-type]
    if type_.index is not None:
        return np.asarray(rng.integers(-1, int(type_.index), shape))  # type: ignore[arg-type]
    return np.asarray(law(rng, shape))
