"""Functions at their edges: the table, and one cell that computes all of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import infers_only
from recurrency.model.spec import Spec, parse
from recurrency.testing.bench import bench
from recurrency.testing.edge_table import TABLE

if TYPE_CHECKING:
    from recurrency.backend import Backend
    from recurrency.graph.op import Array

PLAIN = {
    **dict.fromkeys(
        ("outer", "transpose", "diag", "identity", "concat", "split", "slice", "roll"), "only moves or multiplies"
    ),
    **dict.fromkeys(("einsum", "reshape", "repeat"), "only moves, or multiplies and adds"),
    **dict.fromkeys(("expm", "inverse", "solve", "kron"), "is computed in float64 when the spec is compiled"),
    **dict.fromkeys(("embed", "onehot", "reverse", "first", "last"), "only moves"),
    **dict.fromkeys(("sum_over_time", "mean_over_time"), "is a sum; of no steps it is 0"),
    "cumsum": "is a sum",
    "max_over_time": "is `max` over the steps; of no steps it is 0",
    **dict.fromkeys(("attend", "window"), "is made of `softmax` or `exp`, and products"),
    **dict.fromkeys(("dropout", "zoneout", "noise", "sample", "gumbel"), "is linear"),
    "categorical": "has the gradient of `softmax`",
}
"""The functions without a block in the table, and why they have no edges."""


@dataclass(frozen=True)
class Point:
    """Value, first and second derivative at `x`; `loose` marks those that are right to a few units of 1 only."""

    x: float
    wanted: tuple[float, float, float]
    loose: tuple[bool, bool, bool]


@dataclass(frozen=True)
class Edges:
    """A call as it is written, and its points; `a` is the number that its argument `a` has while it runs."""

    call: str
    points: tuple[Point, ...]

    @property
    def expression(self) -> str:
        """The call in the language: `f(x)[1]` is the first element."""
        text = self.call.partition(", a = ")[0]
        return f"sum(slice({text[:-3]}, 1, 1))" if text.endswith("[1]") else text

    @property
    def a(self) -> float:
        """The number for `a`."""
        return float(self.call.partition(", a = ")[2] or 0)


@cache
def edges() -> tuple[Edges, ...]:
    """The table, block by block."""
    blocks = re.findall(r"^(\S.*)\n((?: {4}.*\n)+)", TABLE, re.MULTILINE)
    return tuple(Edges(call, tuple(map(_point, " ".join(body.split()).split("; ")))) for call, body in blocks)


def _point(text: str) -> Point:
    place, numbers = text.rstrip(";").split(": ")
    (value, a), (first, b), (second, c) = ((float(n.removeprefix("~")), n.startswith("~")) for n in numbers.split())
    return Point(float(place), (value, first, second), (a, b, c))


def places() -> int:
    """The steps of the cell: as many as the longest block has points."""
    return max(len(e.points) for e in edges())


@cache
def cell() -> Spec:
    """A cell with an output for each call; the step `i` reads the i-th of its points, a row of its parameter `w_k`."""
    steps, count = places(), len(edges())
    lines = [line for k, block in enumerate(edges()) for line in _equations(k, block, steps)]
    outputs = ", ".join(f"y_{k}: []" for k in range(count))
    body = "".join(f"    {line}\n" for line in lines)
    return parse(f"cell Edges(i: index[{steps}], a: [{count}]) -> ({outputs}) {{\n{body}}}\n", "edges.rnn")


def _equations(k: int, block: Edges, steps: int) -> list[str]:
    expression = re.sub(r"\b([xa])\b", rf"\1_{k}", block.expression)
    arguments = [f"x_{k} = embed(w_{k}, i)", f"a_{k} = sum(slice(a, {k + 1}, {k + 1}))"]
    return [f"param w_{k} : [{steps}] ~ ones", *arguments, f"y_{k} = {expression}", f"loss sum_over_time(y_{k})"]


def computed(backend: str | Backend, dtype: str, without: Any = (), second: bool = True) -> dict[str, Array]:
    """Value, first and second derivative of each call at its points, [points, 3], as a backend computes them.

    Without `second`, or of a backend that computes results only, there are fewer columns.
    """
    model = bench(cell()).model({}, backend, dtype, without)
    params, direction = model.init(0), np.zeros(model.size, dtype)
    for k, block in enumerate(edges()):
        model.views(params)[f"w_{k}"][: len(block.points)] = [point.x for point in block.points]
        model.views(direction)[f"w_{k}"][:] = 1
    a = np.array([block.a for block in edges()], dtype)
    inputs = {"i": np.arange(places())[:, None], "a": np.broadcast_to(a, (places(), 1, len(a)))}
    run = model.forward(params, inputs)
    if infers_only(model.programs.backend):
        return {b.call: run.outputs[f"y_{k}"][: len(b.points)] for k, b in enumerate(edges())}
    gradients = model.views(model.backward(run, {name: np.ones((places(), 1), dtype) for name in model.outputs}).params)
    curves = model.views(model.hvp(params, inputs, direction)) if second else gradients
    return {
        block.call: np.stack([run.outputs[f"y_{k}"][:, 0], gradients[f"w_{k}"], curves[f"w_{k}"]], -1)[
            : len(block.points), : 3 if second else 2
        ]
        for k, block in enumerate(edges())
    }


ROUNDINGS = 64
"""The tolerance of a number of the table, in units in the last place."""


def allowed(point: Point, dtype: str) -> Array:
    """The tolerance of each of the three numbers of a point; the table has 14 digits."""
    limits = np.finfo(dtype)
    size = np.abs(np.where(np.isfinite(point.wanted), point.wanted, 0.0))
    out: Array = (ROUNDINGS * float(limits.eps) + 1e-13) * np.where(point.loose, 10.0, size) + 8 * float(limits.tiny)
    return out


def differences(backend: str | Backend, dtype: str, without: Any = (), second: bool = True) -> list[str]:
    """The results of a backend that differ from the table."""
    found = computed(backend, dtype, without, second)
    out = []
    for block in edges():
        for point, got in zip(block.points, found[block.call], strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                wanted = np.array(point.wanted).astype(dtype)[: len(got)]
                near = np.abs(got.astype(float) - wanted) <= allowed(point, dtype)[: len(got)]
            for k, what in enumerate(("value", "first derivative", "second derivative")[: len(got)]):
                same = bool(near[k]) or got[k] == wanted[k] or bool(np.isnan(got[k]) and np.isnan(wanted[k]))
                if not same:
                    out.append(f"{what} of {block.call} at {point.x:g}: {got[k]:.9g} and not {wanted[k]:.9g}")
    return out
