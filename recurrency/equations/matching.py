"""Matches two systems of equations: which parameters are at the same places?

The search starts at the outputs. It compares sums term by term and products factor by factor, in any order. When it
meets an earlier step of a stream on both sides, it assumes that the two streams match and then compares their
equations. So a recurrence is compared once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from typing import TypeAlias

from recurrency.equations.forms import Forms, Part
from recurrency.equations.polynomials import (
    Block,
    Call,
    Factor,
    Input,
    Past,
    Product,
    Sum,
    Times,
    factors,
    split_off,
)
from recurrency.errors import UsageError

Linear: TypeAlias = tuple[tuple[float, Block], ...]
"""A sum of blocks of parameters, each times a number."""

GREATEST_SEARCH = 20_000
"""Bound on the comparisons of sums, with and without turned gates."""
GREATEST_TURNS = 256
"""Bound on the ways in which gates are turned."""
TURNED_AT_LEAST = 1
"""The difference with a turned gate is reported only if it is deeper by more equations than this."""


@dataclass(frozen=True)
class Equation:
    """The sums of parameters at one place of both systems, which must be equal; an empty side means zero.

    `place` has the factors that they are multiplied with there.
    """

    ours: Linear
    theirs: Linear
    place: Product


@dataclass(frozen=True)
class Term:
    """Terms of a sum that differ in their parameters only; `parameters` is empty if they have none.

    `rest` has the other factors; `vector` is what a matrix is multiplied with.
    """

    coefficient: float
    rest: Product
    parameters: Linear = ()
    vector: Product | None = None


@dataclass(frozen=True)
class State:
    """What the search has found so far: pairs of streams and of inputs, and equations of parameters."""

    pairs: tuple[tuple[object, object], ...] = ()
    equations: tuple[Equation, ...] = ()
    calls: frozenset[tuple[Call, Call]] = frozenset()
    """Pairs of calls that have been compared already."""

    def paired(self, ours: object, theirs: object) -> bool | None:
        """Whether the two are a pair; None if neither is in a pair."""
        for a, b in self.pairs:
            if a == ours or b == theirs:
                return a == ours and b == theirs
        return None


@dataclass(frozen=True)
class Match:
    """The equations of the parameters, and the forms with whose names they are printed."""

    equations: tuple[Equation, ...]
    ours: Forms
    theirs: Forms
    pairs: tuple[tuple[object, object], ...] = ()
    """Streams that match, as nodes with their rows, and names of inputs."""


@dataclass
class Difference:
    """The deepest pair of sums that do not match, and the number of comparisons so far."""

    depth: int = -1
    ours: Sum = field(default_factory=Sum)
    theirs: Sum = field(default_factory=Sum)
    forms: tuple[Forms, Forms] | None = None
    comparisons: int = 0


def matched(ours: Forms, theirs: Forms, output: tuple[str, str]) -> Match | Difference:
    """The first match of two outputs, with gates turned if necessary; else the difference."""
    plain, furthest = Difference(), Difference()
    for turned in _turnings(ours, output[0]):
        search = Search(ours.turning(turned) if turned else ours, theirs, furthest if turned else plain)
        a, b = search.ours.output(output[0]), theirs.output(output[1])
        for state in search.sums(a, b, State()):
            return Match(state.equations, search.ours, theirs, state.pairs)
    return furthest if furthest.depth > plain.depth + TURNED_AT_LEAST else plain


def _turnings(forms: Forms, output: str) -> Iterator[tuple[Part, ...]]:
    """The sets of gates to turn: none, each gate, each pair, ..."""
    _visit(forms, forms.output(output))
    gates = forms.gates()
    every = chain.from_iterable(combinations(gates, count) for count in range(len(gates) + 1))
    for _, turned in zip(range(GREATEST_TURNS), every, strict=False):
        yield tuple(chain.from_iterable(turned))


def _visit(forms: Forms, form: Sum) -> None:
    """Compute the forms of all streams that a sum needs, each once."""
    later, seen = [form], set[Factor]()
    while later:
        for factor in factors(later.pop(), seen):
            if isinstance(factor, Past):
                later.append(forms.form((factor.stream, factor.rows)))


def terms(form: Sum) -> list[Term]:
    """The terms of a sum; those that differ in one parameter only become one term."""
    groups: dict[tuple[Product, Product | None], list[tuple[float, Block]]] = {}
    out = []
    for product, coefficient in form.terms.items():
        split = split_off(product)
        if split is None:
            out.append(Term(coefficient, product))
            continue
        factor, rest = split
        block, vector = (factor.matrix, factor.vector) if isinstance(factor, Times) else (factor, None)
        groups.setdefault((rest, vector), []).append((coefficient, block))
    found = [Term(1.0, rest, tuple(linear), vector) for (rest, vector), linear in groups.items()]
    return out + sorted(found, key=lambda term: term.vector is None)


class Search:
    """One search; its methods yield every state in which two forms match."""

    def __init__(self, ours: Forms, theirs: Forms, best: Difference) -> None:
        self.ours, self.theirs, self.best = ours, theirs, best

    def sums(self, a: Sum, b: Sum, state: State) -> Iterator[State]:
        """Match two sums, term by term in any order."""
        self.best.comparisons += 1
        if self.best.comparisons > GREATEST_SEARCH:
            raise UsageError("the equations can't be compared: too many of their terms are alike")
        found = False
        for result in self._terms(terms(a), terms(b), state):
            found = True
            yield result
        depth = len(state.equations)
        if not found and depth > self.best.depth:
            self.best.depth, self.best.ours, self.best.theirs = depth, a, b
            self.best.forms = (self.ours, self.theirs)

    def _terms(self, ours: Sequence[Term], theirs: Sequence[Term], state: State) -> Iterator[State]:
        if not ours:
            if all(map(_may_be_zero, theirs)):
                yield _with(state, *(Equation((), term.parameters, term.rest) for term in theirs))
            return
        first, rest = ours[0], ours[1:]
        for place, other in enumerate(theirs):
            others = [*theirs[:place], *theirs[place + 1 :]]
            for found in self._term(first, other, state):
                yield from self._terms(rest, others, found)
        if _may_be_zero(first):
            yield from self._terms(rest, theirs, _with(state, Equation(first.parameters, (), first.rest)))

    def _term(self, a: Term, b: Term, state: State) -> Iterator[State]:
        if not math.isclose(a.coefficient, b.coefficient, rel_tol=1e-12) or bool(a.parameters) != bool(b.parameters):
            return
        if a.rest.kinds != b.rest.kinds or (a.vector or Product()).kinds != (b.vector or Product()).kinds:
            return  # before their factors, whose comparison may visit everything below
        if not a.parameters:
            yield from self._factors(a.rest.factors, b.rest.factors, state)
            return
        if (a.vector is None) != (b.vector is None) or a.parameters[0][1].shape != b.parameters[0][1].shape:
            return
        vectors = (a.vector or Product()).factors, (b.vector or Product()).factors
        for found in self._factors(*vectors, state):
            for both in self._factors(a.rest.factors, b.rest.factors, found):
                yield _with(both, Equation(a.parameters, b.parameters, a.rest))

    def _factors(self, ours: Sequence[Factor], theirs: Sequence[Factor], state: State) -> Iterator[State]:
        """Match factors in any order."""
        if not ours:
            yield state
            return
        for place, other in enumerate(theirs):
            others = [*theirs[:place], *theirs[place + 1 :]]
            for found in self._factor(ours[0], other, state):
                yield from self._factors(ours[1:], others, found)

    def _factor(self, a: Factor, b: Factor, state: State) -> Iterator[State]:
        match a, b:
            case Block(), Block() if a.shape == b.shape:
                yield _with(state, Equation(((1.0, a),), ((1.0, b),), Product()))
            case Times(), Times() if a.matrix.shape == b.matrix.shape and a.vector.kinds == b.vector.kinds:
                equal = Equation(((1.0, a.matrix),), ((1.0, b.matrix),), Product())
                yield from self._factors(a.vector.factors, b.vector.factors, _with(state, equal))
            case Input(), Input() if a.rows == b.rows and state.paired(a.name, b.name) is not False:
                yield _paired(state, a.name, b.name)
            case Past(), Past() if a.delay == b.delay:
                yield from self._pasts(a, b, state)
            case Call(), Call() if (a, b) in state.calls:
                yield state
            case Call(), Call() if (a.op, a.attributes, len(a.args)) == (b.op, b.attributes, len(b.args)):
                for args in (a.args, a.args[::-1]) if a.op in ("minimum", "maximum") else (a.args,):
                    for found in self._all(args, b.args, state):
                        yield replace(found, calls=found.calls | {(a, b)})

    def _pasts(self, a: Past, b: Past, state: State) -> Iterator[State]:
        """Match two delayed streams: their initial values and their equations."""
        ours, theirs = (a.stream, a.rows), (b.stream, b.rows)
        known = state.paired(ours, theirs)
        if known is False:
            return
        first = [self.ours.form((id, a.rows)) for id in a.first], [self.theirs.form((id, b.rows)) for id in b.first]
        zeros = [Sum()] * max(map(len, first))
        mine, others = ([*side, *zeros[len(side) :]] for side in first)
        for found in self._all(mine, others, _paired(state, ours, theirs)):
            if known:
                yield found
            else:
                yield from self.sums(self.ours.form(ours), self.theirs.form(theirs), found)

    def _all(self, ours: Sequence[Sum], theirs: Sequence[Sum], state: State) -> Iterator[State]:
        """Match sums one by one."""
        if not ours:
            yield state
            return
        for found in self.sums(ours[0], theirs[0], state):
            yield from self._all(ours[1:], theirs[1:], found)


def _may_be_zero(term: Term) -> bool:
    """Whether a term may be absent on the other side: a bias, a peephole or a trained initial value, but no matrix."""
    return bool(term.parameters) and term.vector is None


def _with(state: State, *equations: Equation) -> State:
    new = tuple(equation for equation in equations if equation not in state.equations)
    return replace(state, equations=state.equations + new)


def _paired(state: State, ours: object, theirs: object) -> State:
    return state if state.paired(ours, theirs) else replace(state, pairs=(*state.pairs, (ours, theirs)))
