"""The error model behind all tolerances: how far two correct results may differ.

Every operation computes what it says, up to a rounding error of a few units `u` of the dtype (2^-24 in float32, 2^-53
in float64), relative to what it adds up. That gives two bounds, of which the second is asked only where the first does
not hold:

1. *Well-conditioned.* An element may be wrong by `u * growth * (|y| + max|Y|)`, Y the array it stands in, where
   `growth = FIRST + terms`, terms being what the longest sum of the cell adds up: elements of a dimension, steps,
   sequences. Where a case looks for lost tails (its values are `tails`), small elements beside large ones have to be
   right as well: `max|Y|` counts as 0.
2. *Ill-conditioned.* The interpreter evaluates the unoptimised graph again, with the result of every operation
perturbed at random within its rounding error (Monte Carlo arithmetic: Parker 1997), and with the range of the dtype:
   what overflows is infinite. How far results then scatter is what rounding does to this cell and input, through
   cancellation, chaos and jumps. An element may be wrong by `SAFETY` times the greatest distance seen among the draws.
   Where a draw is not finite nothing can be said, and the element is not compared.

Products with operands in bf16 (`compute="bf16"`) have only the second bound beyond that of float32: each draw moves the
operands by up to a unit roundoff of bf16, 2^-8, and makes zero what is subnormal there, and infinite what is too large.

An operation's own error is its entry in `ERRORS`, in units u: for sums and products relative to the sum of the absolute
terms, not to their sum, as backends and passes may add in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import Backend, find
from recurrency.graph.fixed import Fixed
from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import FUNCTION, Trait
from recurrency.graph.ops import OPS
from recurrency.graph.value import Value

if TYPE_CHECKING:
    from recurrency.backend import Runner
    from recurrency.graph.op import Array, Attrs, Op, Reading
    from recurrency.model.model import Model
    from recurrency.program.layout import Layout
    from recurrency.testing.case import Case

UNIT = {"float32": 2.0**-24, "float64": 2.0**-53}
"""The unit roundoff of each dtype."""

OPERANDS = {"bf16": (2.0**-8, float.fromhex("0x1.ffp+127"))}
"""Of each type of operands of products: its unit roundoff, and the least number that it rounds to infinity."""

FIRST = 24
"""Rounding errors of a result apart from its sums: some ten operations, of two or three units each."""

SAFETY = 12.0
"""Draws are few, and rounding errors of a real run may all have the same sign."""

TAILS = "tails"
"""The distribution for which each element is compared by itself."""

DRAWS = (6, 48)
"""The number of draws at first, and for elements that exceed the bound of these."""


def growth(model: Model, case: Case) -> float:
    """The number of rounding errors that may add up in one element."""
    sizes = [n for p in model.parameters.values() for n in p.shape]
    sizes += [n for p in model.streams.values() for n in p.shape]
    return FIRST + max(sizes, default=1) + sum(case.steps.values()) + case.batch


def first_bound(model: Model, case: Case, wanted: Array) -> Array:
    """The bound on the error of each element where a cell is well-conditioned."""
    size = np.abs(np.where(np.isfinite(wanted), wanted, 0.0))
    least = 4.0 * float(np.finfo(case.dtype).tiny)
    greatest = 0.0 if case.values == TAILS else size.max(initial=0.0)
    out: Array = UNIT[case.dtype] * growth(model, case) * (size + greatest) + least
    return out


# ----------------------------------------------------------------------------------------------- errors of operations


def _terms(count: int) -> float:
    return 1.0 + float(np.sqrt(count))


def _product(y: Array, a: Array, b: Array, *, spec: str) -> Array:
    left, out = spec.split("->")
    sizes = dict(zip(left.replace(",", ""), (*np.shape(a), *np.shape(b)), strict=True))
    count = int(np.prod([n for letter, n in sizes.items() if letter not in out], dtype=int))
    return _terms(count) * np.asarray(np.einsum(spec, np.abs(a), np.abs(b)))


def _sum(y: Array, x: Array, *, axes: tuple[int, ...]) -> Array:
    count = int(np.prod([np.shape(x)[a] for a in axes], dtype=int))
    return _terms(count) * np.asarray(np.sum(np.abs(x), axis=axes))


def _cumsum(y: Array, x: Array, *, back: bool) -> Array:
    size = np.abs(x)
    return _terms(len(x)) * np.asarray(np.cumsum(size[::-1], 0)[::-1] if back else np.cumsum(size, 0))


def _softmax(y: Array, x: Array, **_: Any) -> Array:
    return y * (8.0 + np.ptp(x, axis=-1, keepdims=True)) if x.size else y


def _log_softmax(y: Array, x: Array) -> Array:
    """Of the differences from the greatest, and of the logarithm of 1 and the sum of the others' exponentials."""
    if not x.size:
        return y
    if x.shape[-1] == 1:  # x - x, where a compiler may contract one x, a product, with the difference
        return np.abs(x)
    z = x - x.max(-1, keepdims=True)
    e = np.where(z == 0, 0.0, np.exp(z))
    most = (z == 0).sum(-1, keepdims=True) - 1.0
    rest = (e * (8.0 + np.abs(np.where(e > 0, z, 0.0)))).sum(-1, keepdims=True) + most
    return np.asarray(
        np.abs(z) + 4.0 * np.abs(y) + _terms(x.shape[-1]) * rest / (1.0 + e.sum(-1, keepdims=True) + most)
    )


def _power(y: Array, a: Array, b: Array) -> Array:
    return np.asarray(np.abs(y) * (8.0 + np.abs(b * np.log(np.abs(a)))))


def _stored(y: Array, *, of: Fixed) -> Array:
    """Of a fixed array that float32 does not hold exactly."""
    with np.errstate(over="ignore"):
        return np.where(y.astype(np.float32) == y, 0.0, np.abs(y))


def _units(count: float) -> Callable[..., Array]:
    return lambda y, *args, **attrs: count * np.abs(y)


ERRORS: dict[str, Callable[..., Array]] = {
    **{name: lambda y, a, b: np.abs(a) + np.abs(b) for name in ("add", "subtract")},
    **dict.fromkeys(("multiply", "divide", "sqrt"), _units(1.0)),
    **{name: _units(4.0) for name, op in OPS.items() if op.elementwise and op.cost >= FUNCTION},
    **{name: lambda y, x: 4.0 * np.abs(y) + np.abs(x) for name in ("sin", "cos")},
    "sigmoid": _units(5.0),
    "erfc": _units(8.0),
    "array": _stored,
    "power": _power,
    "product": _product,
    "sum": _sum,
    "cumsum": _cumsum,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
"""The rounding error of an operation in units u, from its result, arguments and attributes. Others are exact."""


def _over_time(r: Reading, attrs: Attrs) -> Array:
    count = r.length(attrs["clock"])
    return _terms(count) * np.asarray(sum((np.abs(r.arg(0, t)) for t in range(count)), r.zero()))


def _over_batch(r: Reading, attrs: Attrs) -> Array:
    return _terms(r.batch()) * np.asarray(sum((np.abs(r.arg(0, sequence=b)) for b in range(r.batch())), r.zero()))


ERRORS_AT: dict[str, Callable[..., Array]] = {"sum_time": _over_time, "sum_batch": _over_batch}
"""The same for operations across time and batch, from the elements that they read."""


# ------------------------------------------------------------------------------------------------- jiggled arithmetic


@dataclass
class Jiggler:
    """The interpreter with rounding errors drawn at random, as a backend; `seed` starts a new series of draws."""

    dtype: str
    name: str = "interpreter"
    compute: str = ""
    """What the operands of products are rounded to."""

    def __post_init__(self) -> None:
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Start a new series of draws."""
        self.rng = np.random.default_rng(seed)

    def available(self) -> str | None:
        """It always runs."""
        return None

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """See `recurrency.backend.Backend`."""
        inner: Backend = find("interpreter")
        return inner.build(rebuild(graph, visit=self._visit), layout, dtype, name, without)

    def _visit(self, graph: Graph, node: Node, old: int) -> Value:
        return graph.insert(replace(node, op=self._rounded(node.op)))

    def _rounded(self, op: Op) -> Op:
        """The operation with errors."""
        there, error = ERRORS_AT.get(op.name), ERRORS.get(op.name)
        if self.compute and Trait.CONTRACTS in op.traits and op.meaning is not None and error is not None:
            return replace(op, meaning=partial(self._meaning, partial(self._narrow, op.meaning), error))
        if there is not None and op.at is not None:
            return replace(op, at=partial(self._at, op.at, there))
        if Trait.LITERAL in op.traits:
            return replace(op, meaning=self._constant)
        if error is not None and op.meaning is not None:
            return replace(op, meaning=partial(self._meaning, op.meaning, error))
        return op

    def _meaning(self, meaning: Callable[..., Array], error: Callable[..., Array], *args: Array, **attrs: Any) -> Array:
        y = np.asarray(meaning(*args, **attrs))
        return self.moved(y, error(y, *args, **attrs))

    def _narrow(self, meaning: Callable[..., Array], *operands: Array, **attrs: Any) -> Array:
        """A product with operands that are rounded, at random."""
        return meaning(*map(self._rounded_operand, operands), **attrs)

    def _rounded_operand(self, x: Array) -> Array:
        unit, most = OPERANDS[self.compute]
        moved = x * (1.0 + unit * self.rng.uniform(-1.0, 1.0, np.shape(x)))
        lost = np.abs(x) < float(np.finfo(self.dtype).tiny)
        return np.asarray(np.where(np.abs(x) >= most, np.copysign(np.inf, x), np.where(lost, 0.0, moved)))

    def _at(
        self, at: Callable[[Reading, Attrs], Array], error: Callable[..., Array], r: Reading, attrs: Attrs
    ) -> Array:
        y = np.asarray(at(r, attrs))
        return self.moved(y, error(r, attrs) * (y != 0))

    def _constant(self, *, value: float) -> Array:
        y = np.float64(value)
        exact = not np.isfinite(y) or float(np.dtype(self.dtype).type(value)) == value
        return np.asarray(y) if exact else self.moved(np.asarray(y), np.abs(y))

    def moved(self, y: Array, error: Array) -> Array:
        """A result moved by up to `error` units, then limited to the range of the dtype."""
        with np.errstate(all="ignore"):
            y = y + UNIT[self.dtype] * error * self.rng.uniform(-1.0, 1.0, np.shape(y))
            limits = np.finfo(self.dtype)
            y = np.where(np.abs(y) > float(limits.max), np.sign(y) * np.inf, y)
            lost = (np.abs(y) < float(limits.tiny)) & (self.rng.random(np.shape(y)) < 0.5)
            return np.asarray(np.where(lost, 0.0, y))
