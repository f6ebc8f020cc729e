"""The gradient rule of each operation of a cell by itself, compared with differences, to find a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Type
from recurrency.passes.derivatives import backward, loss_gradients
from recurrency.passes.differentiate import differentiate
from recurrency.testing.alone import Alone, Law, distinct
from recurrency.testing.bench import bench
from recurrency.testing.measured_slopes import AGREE, measured
from recurrency.testing.verification.blame import described

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.spec import Spec
    from recurrency.testing.case import Case

LAWS: tuple[Law, ...] = (
    lambda rng, shape: np.asarray(rng.standard_normal(shape)),
    lambda rng, shape: np.asarray(0.5 + rng.random(shape)),
)
"""Arguments: of both signs, and positive ones for logarithms and roots."""

SWEEP = "no rule of an operation: what puts them together (differentiate, derivatives)"


def wrong_rule(spec: Spec, case: Case) -> str:
    """The operation whose gradient rule is wrong, in the cell itself, else in its gradient."""
    for node, types in distinct(_graphs(bench(spec).elaborated(case.dimensions).graph)):
        if node.op.gradient is not None and Trait.SILENT not in node.op.traits and rule_is_wrong(node, types):
            return f"gradient rule of {described(node)}"
    return SWEEP


def _graphs(graph: Graph) -> list[Graph]:
    """The cell, and its gradient, without any pass."""
    return [graph, loss_gradients(graph) if "loss" in graph.roots else backward(graph)]


def rule_is_wrong(node: Node, types: tuple[Type, ...]) -> bool:
    """Whether the rule of one operation, for arguments of these types, disagrees with differences."""
    one = Alone.of(node, types)
    type_ = one.graph[one.y].type
    real = {f"a{k}": id for k, id in enumerate(one.args) if one.graph[id].type.index is None}
    if type_.index is not None or not real:
        return False
    weight = one.graph.add("input", [], {"name": "w", "type": type_})
    adjoints = differentiate(one.graph, {one.y: weight}, real.values())
    one.graph.roots |= {f"d{n}": adjoints[id].id for n, id in real.items()}
    return any(_disagrees(one, list(real), k) for k in range(len(LAWS)))


def _disagrees(one: Alone, real: list[str], law: int) -> bool:
    """Whether the derivative of the weighted result along a random direction disagrees with differences."""
    rng = np.random.default_rng(law)
    given, run = one.arrays(LAWS[law], rng), one.runner("interpreter")
    tangent = {n: rng.standard_normal(given[n].shape) for n in real}

    def moved(by: float) -> dict[str, Array]:
        return run({n: a + by * tangent[n] if n in tangent else a for n, a in given.items()})

    found = moved(0.0)
    terms = [found[f"d{n}"] * t for n, t in tangent.items()]
    exact, scale = sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)
    number, doubt = measured(lambda by: float((moved(by)["y"] * given["w"]).sum()))
    scale = max(scale, abs(number), 1.0)
    sure = bool(np.isfinite([exact, number, doubt]).all()) and doubt <= AGREE * scale
    return sure and abs(exact - number) > 2 * AGREE * scale
