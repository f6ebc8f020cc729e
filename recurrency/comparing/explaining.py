"""Turns the best alignment of two systems of equations into a list of differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from recurrency.comparing.alignment import Fit, Linear, Term, linear, only_call, only_factor
from recurrency.comparing.cuts import TOGETHER, spliced
from recurrency.comparing.fitting import Fitted, first_values
from recurrency.equations.polynomials import Block, Call, Factor, Past, Product, Sum, Times

Piece: TypeAlias = Product | Factor | Sum | None
Place: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Edit:
    """One difference: its kind (a key of `words.WORDS`), the pieces of both sides, and its place.

    `place` has the names of both equations; `inside` is the function whose argument it is in ("" for none).
    """

    kind: str
    ours: Piece
    theirs: Piece
    place: Place = ("", "")
    inside: str = ""


@dataclass
class Explanation:
    """All differences, and the pairs of equations and parameters in the alignment."""

    edits: list[Edit] = field(default_factory=list)
    equations: dict[Place, bool] = field(default_factory=dict)
    """Pairs of named equations, and whether they differ."""
    met: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    """The named streams of each side that are paired."""
    within: dict[Place, tuple[set[str], set[str]]] = field(default_factory=dict)
    """The names that only one side gives to a pair of calls, by the equations around them."""
    blocks: dict[tuple[Block, Block], Place] = field(default_factory=dict)
    """Pairs of parameters, and the equations in which each pair occurs first."""

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The pairs of names of parameters, each once."""
        return list(dict.fromkeys((a.name, b.name) for a, b in self.blocks))


ELSEWHERE = frozenset({"shape", "first"})
"""Kinds of differences that are in declarations, not in equations."""


def explained(fitted: Fitted, names: Sequence[Place]) -> Explanation:
    """The differences of an alignment; `names` are the names of the results."""
    walk = _Walk(fitted)
    alignment = fitted.alignment
    for (a, b), place in zip(fitted.results, names, strict=True):
        walk.sum(a, b, place, "")
    for ours, theirs in fitted.states.items():
        place = alignment.ours.graph[ours].name, alignment.theirs.graph[theirs].name
        walk.found.equations.setdefault(place, False)
        for met, name in zip(walk.found.met, place, strict=True):
            met.add(name)
        walk.sum(alignment.ours.definition(ours), alignment.theirs.definition(theirs), place, "")
        for x, y in first_values(alignment, ours, theirs):
            walk.first(x, y, place)
    return walk.found


class _Walk:
    """Walks over the pairs of an alignment."""

    def __init__(self, fitted: Fitted) -> None:
        self.alignment, self.found = fitted.alignment, Explanation()
        self._seen: set[tuple[Call, Call, Place]] = set()

    def note(self, kind: str, ours: Piece, theirs: Piece, place: Place, inside: str) -> None:
        edit = Edit(kind, ours, theirs, place, inside)
        if edit not in self.found.edits:
            self.found.edits.append(edit)
        self.found.equations[place] = kind not in ELSEWHERE or self.found.equations.get(place, False)

    def first(self, a: Sum, b: Sum, place: Place) -> None:
        """Compare the initial values of a state."""
        if self.alignment.sum(a, b).cost > 1:
            self.note("first", a, b, place, "")
        else:
            self.sum(a, b, place, "")

    def sum(self, a: Sum, b: Sum, place: Place, inside: str) -> None:
        fit, a, b = self.alignment.sum(a, b), spliced(a), spliced(b)
        if fit.how in ("bare", "wrapped"):
            self._wrapped(a, b, fit.how, place, inside)
            return
        ours, theirs = list(a.terms.items()), list(b.terms.items())
        left = [ours[i] for i, j in fit.pairs if i is not None and j is None]
        right = [theirs[j] for i, j in fit.pairs if j is not None and i is None]
        for i, j in fit.pairs:
            if i is not None and j is not None:
                self.term(ours[i], theirs[j], place, inside)
        if len(left) == len(right) == 1:
            self.note("replaced", left[0][0], right[0][0], place, inside)
            return
        for product, _ in left:
            self.note("term missing", product, None, place, inside)
        for product, _ in right:
            self.note("term added", None, product, place, inside)

    def _wrapped(self, a: Sum, b: Sum, how: str, place: Place, inside: str) -> None:
        """Compare two sums of which one is the argument of the other."""
        call = only_call(a if how == "bare" else b)
        assert call is not None
        self.note(how, call if how == "bare" else None, None if how == "bare" else call, place, inside)
        (inner,) = call.args
        self.sum(*((inner, b) if how == "bare" else (a, inner)), place, inside)

    def term(self, a: Term, b: Term, place: Place, inside: str) -> None:
        fit = self.alignment.term(a, b)
        if not math.isclose(a[1], b[1], rel_tol=1e-12):
            self.note("coefficient", Sum({a[0]: a[1]}), Sum({b[0]: b[1]}), place, inside)
        ours, theirs = linear(a[0]), linear(b[0])
        if fit.how == "projected":
            self.product(
                ours.factors if ours else a[0].factors, theirs.factors if theirs else b[0].factors, fit, place, inside
            )
            kind = "projection missing" if ours else "projection added"
            self.note(kind, ours.block if ours else None, theirs.block if theirs else None, place, inside)
            return
        if fit.how == "plain" or ours is None or theirs is None:
            self.product(a[0].factors, b[0].factors, fit, place, inside)
            return
        self.product(ours.factors, theirs.factors, fit, place, inside)
        if fit.how == "diagonal":
            self.note("full" if theirs.matrix else "diagonal", ours.block, theirs.block, place, inside)
        else:
            self._moved(ours, theirs, fit, place, inside)
        self.block(ours.block, theirs.block, place, inside)

    def _moved(self, a: Linear, b: Linear, fit: Fit, place: Place, inside: str) -> None:
        for i, j in fit.pairs:
            if i is not None and j is not None and a.is_inner(i) != b.is_inner(j):
                self.note("out" if a.is_inner(i) else "in", a.factors[i], b.factors[j], place, inside)

    def product(self, a: Sequence[Factor], b: Sequence[Factor], fit: Fit, place: Place, inside: str) -> None:
        for i, j in fit.pairs:
            if i is not None and j is not None:
                self.factor(a[i], b[j], place, inside)
        left = Product(tuple(a[i] for i, j in fit.pairs if i is not None and j is None))
        right = Product(tuple(b[j] for i, j in fit.pairs if j is not None and i is None))
        if left.factors and right.factors:
            self.note("replaced", left, right, place, inside)
        elif left.factors:
            self.note("factor missing", left, None, place, inside)
        elif right.factors:
            self.note("factor added", None, right, place, inside)

    def factor(self, a: Factor, b: Factor, place: Place, inside: str) -> None:
        match a, b:
            case Block(), Block():
                self.block(a, b, place, inside)
            case Times(), Times():
                self.block(a.matrix, b.matrix, place, inside)
                ours, theirs = a.vector.factors, b.vector.factors
                self.product(ours, theirs, self.alignment.product(ours, theirs), place, inside)
            case Past(), Past():
                if self.alignment.same(a.stream, b.stream):
                    self.note("replaced", Product((a,)), Product((b,)), place, inside)
                elif a.delay != b.delay:
                    self.note("delay", a, b, place, inside)
            case Call(), Call() if len(a.args) == len(b.args):
                self._call(a, b, place)
            case Call(), _ if (inner := only_factor(a)) is not None:
                self.note("bare", a, b, place, inside)
                self.factor(inner, b, place, inside)
            case _, Call() if (inner := only_factor(b)) is not None:
                self.note("wrapped", a, b, place, inside)
                self.factor(a, inner, place, inside)

    def _call(self, a: Call, b: Call, place: Place) -> None:
        names = self.alignment.ours.names.get(a, ""), self.alignment.theirs.names.get(b, "")
        if all(names):
            place = names
            self.found.equations.setdefault(place, False)
        within = self.found.within.setdefault(place, (set(), set()))
        for met, inner, name in zip(self.found.met, within, names, strict=True):
            met.add(name)
            inner.add(name)
        if (a, b, place) in self._seen:
            return
        self._seen.add((a, b, place))
        if (a.op, a.attributes) != (b.op, b.attributes):
            kind = "wrapped" if a.op == TOGETHER else "bare" if b.op == TOGETHER else "function"
            self.note(kind, a, b, place, "")
        for x, y in zip(a.args, b.args, strict=True):
            self.sum(x, y, place, a.op)

    def block(self, a: Block, b: Block, place: Place, inside: str) -> None:
        """Compare two blocks of parameters."""
        self.found.blocks.setdefault((a, b), place)
        if a.shape != b.shape and len(a.shape) == len(b.shape):
            self.note("shape", a, b, place, inside)
