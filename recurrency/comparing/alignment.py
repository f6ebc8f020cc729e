"""Aligns two systems of equations at the least cost: an edit distance.

Terms and factors are paired in any order. An unpaired one costs its size; each known kind of difference (another
function, a factor on the other side of a product) costs `UNIT`. The alignment does not check that a name is paired
with the same name everywhere: equal systems are found by `identity` before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from recurrency.comparing.assignment import Pairs, assignment
from recurrency.comparing.cuts import TOGETHER, Cut, spliced
from recurrency.equations.polynomials import Block, Call, Factor, Input, Past, Product, Sum, Times, split_off

UNIT = 100
"""The cost of one difference. A different name costs 1, which only breaks ties."""
NEVER = 10**9
"""The cost of a pair that cannot be aligned."""

Term: TypeAlias = tuple[Product, float]
SameStream: TypeAlias = Callable[[int, int], int]
"""The cost of pairing two states, by their nodes."""


@dataclass(frozen=True)
class Fit:
    """An alignment: its cost, the way in which the two are compared, and the pairs of their parts."""

    cost: int
    how: str = "plain"
    pairs: Pairs = ()


@dataclass(frozen=True)
class Linear:
    """A term with one block of parameters; `inner` has the factors of a matrix's vector, `outer` all others."""

    block: Block
    matrix: bool
    outer: tuple[Factor, ...]
    inner: tuple[Factor, ...]

    @property
    def factors(self) -> tuple[Factor, ...]:
        """All factors except the parameters."""
        return (*self.outer, *self.inner)

    def is_inner(self, place: int) -> bool:
        """Whether an index of `factors` is one of `inner`."""
        return place >= len(self.outer)


def linear(product: Product) -> Linear | None:
    """A product as a term with one block of parameters; None if it has none or several."""
    split = split_off(product)
    if split is None:
        return None
    factor, rest = split
    if isinstance(factor, Times):
        return Linear(factor.matrix, True, rest.factors, factor.vector.factors)
    return Linear(factor, False, rest.factors, ())


class Alignment:
    """The alignments of all parts of two systems of equations, each computed once.

    `same` gives the cost of pairing two states; `inputs` maps our inputs to theirs.
    """

    def __init__(self, ours: Cut, theirs: Cut, same: SameStream, inputs: dict[str, str]) -> None:
        self.ours, self.theirs, self.same, self.inputs = ours, theirs, same, inputs
        self._sums: dict[tuple[Sum, Sum], Fit] = {}
        self._factors: dict[tuple[Factor, Factor], int] = {}
        self._weights: dict[Sum, int] = {}

    # ------------------------------------------------------------------------------------------------------- sizes

    def weight(self, form: Sum) -> int:
        """The size of a sum, which is its cost if it is unpaired."""
        if form not in self._weights:
            self._weights[form] = sum(map(self.weight_of_product, spliced(form).terms))
        return self._weights[form]

    def weight_of_product(self, product: Product) -> int:
        """The size of a product."""
        return sum(map(self.weight_of_factor, product.factors)) or UNIT

    def weight_of_factor(self, factor: Factor) -> int:
        """The size of a factor."""
        if isinstance(factor, Times):
            return UNIT + self.weight_of_product(factor.vector)
        if isinstance(factor, Call):
            return UNIT * (factor.op != TOGETHER) + sum(map(self.weight, factor.args))
        return UNIT

    # -------------------------------------------------------------------------------------------------------- fits

    def sum(self, a: Sum, b: Sum) -> Fit:
        """Aligns two sums, term by term in any order, or one of them with the argument of the other."""
        if (a, b) not in self._sums:
            self._sums[a, b] = self._sum(spliced(a), spliced(b))
        return self._sums[a, b]

    def _sum(self, a: Sum, b: Sum) -> Fit:
        costs = [[self.term(p, q).cost for q in b.terms.items()] for p in a.terms.items()]
        fit = Fit(*_plain(costs, [*map(self.weight_of_product, a.terms)], [*map(self.weight_of_product, b.terms)]))
        ours, theirs = only_call(a), only_call(b)
        if fit.cost <= UNIT or (ours is None) == (theirs is None):
            return fit
        call = ours or theirs
        assert call is not None
        cost = self.sum(call.args[0], b).cost if ours else self.sum(a, call.args[0]).cost
        return Fit(cost + UNIT, "bare" if ours else "wrapped") if cost + UNIT < fit.cost else fit

    def term(self, a: Term, b: Term) -> Fit:
        """Aligns two products with their coefficients."""
        cost = 0 if math.isclose(a[1], b[1], rel_tol=1e-12) else UNIT
        fits = [self.product(a[0].factors, b[0].factors)]
        ours, theirs = linear(a[0]), linear(b[0])
        if ours is not None and theirs is not None and (ours.matrix or theirs.matrix):
            fits.append(self._linear(ours, theirs))
        elif (ours is not None and ours.matrix) != (theirs is not None and theirs.matrix):
            fits.append(
                self._projected(ours.factors if ours else a[0].factors, theirs.factors if theirs else b[0].factors)
            )
        best = min(fits, key=lambda fit: fit.cost)
        return Fit(best.cost + cost, best.how, best.pairs)

    def _linear(self, a: Linear, b: Linear) -> Fit:
        """Aligns terms with parameters; factors may move into or out of the vector, or one matrix may be diagonal."""
        both = a.matrix and b.matrix
        if not both and (a.block.shape[:1] != b.block.shape[:1] or not (a.factors and b.factors)):
            return Fit(NEVER)
        fit = self.product(a.factors, b.factors)
        if both:
            moved = [(i, j) for i, j in fit.pairs if i is not None and j is not None and a.is_inner(i) != b.is_inner(j)]
            return Fit(fit.cost + UNIT * len(moved) + self._block(a.block, b.block), "moved", fit.pairs)
        common = any(i is not None and j is not None for i, j in fit.pairs)
        return Fit(fit.cost + UNIT, "diagonal", fit.pairs) if common else Fit(NEVER)

    def _projected(self, a: Sequence[Factor], b: Sequence[Factor]) -> Fit:
        """Aligns two terms of which one is multiplied by a matrix."""
        fit = self.product(a, b)
        common = any(i is not None and j is not None for i, j in fit.pairs)
        return Fit(fit.cost + UNIT, "projected", fit.pairs) if common else Fit(NEVER)

    def product(self, a: Sequence[Factor], b: Sequence[Factor]) -> Fit:
        """Aligns factors in any order."""
        costs = [[self.factor(x, y) for y in b] for x in a]
        return Fit(*_plain(costs, [*map(self.weight_of_factor, a)], [*map(self.weight_of_factor, b)]))

    def factor(self, a: Factor, b: Factor) -> int:
        """The cost of aligning two factors."""
        if (a, b) not in self._factors:
            self._factors[a, b] = self._factor(a, b)
        return self._factors[a, b]

    def _factor(self, a: Factor, b: Factor) -> int:
        match a, b:
            case Block(), Block():
                return self._block(a, b)
            case Times(), Times():
                return self._block(a.matrix, b.matrix) + self.product(a.vector.factors, b.vector.factors).cost
            case Input(), Input():
                return (UNIT if a.rows != b.rows else 0) if self.inputs.get(a.name) == b.name else NEVER
            case Past(), Past():
                return self.same(a.stream, b.stream) + UNIT * ((a.delay != b.delay) + (a.rows != b.rows))
            case Call(), Call() if len(a.args) == len(b.args):
                other = (a.op, a.attributes) != (b.op, b.attributes)
                name = self.ours.names.get(a) != self.theirs.names.get(b)
                return UNIT * other + name + sum(self.sum(x, y).cost for x, y in zip(a.args, b.args, strict=True))
            case Call(), _ if (inner := only_factor(a)) is not None:
                return UNIT + self.factor(inner, b)
            case _, Call() if (inner := only_factor(b)) is not None:
                return UNIT + self.factor(a, inner)
        return NEVER

    def _block(self, a: Block, b: Block) -> int:
        return UNIT if a.shape != b.shape else int(a.name != b.name)


def only_call(form: Sum) -> Call | None:
    """The call with one argument that is the whole of a sum; None for any other sum."""
    if len(form.terms) != 1:
        return None
    ((product, coefficient),) = form.terms.items()
    call = product.factors[0] if len(product.factors) == 1 and coefficient == 1 else None
    return call if isinstance(call, Call) and len(call.args) == 1 else None


def only_factor(call: Call) -> Factor | None:
    """The only factor of the only argument of a call, if it is no call itself; else None."""
    if len(call.args) != 1 or len(call.args[0].terms) != 1:
        return None
    ((product, coefficient),) = call.args[0].terms.items()
    single = len(product.factors) == 1 and coefficient == 1
    return product.factors[0] if single and not isinstance(product.factors[0], Call) else None


def _plain(costs: list[list[int]], left: list[int], right: list[int]) -> tuple[int, str, Pairs]:
    total, pairs = assignment(costs, left, right)
    return total, "plain", pairs
