"""Checks whether two cells compute the same from the same parameters, whatever their names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from recurrency.equations.forms import Forms
from recurrency.equations.matching import Difference, Search, State, Term
from recurrency.equations.polynomials import Block, Factor, Sum
from recurrency.errors import UsageError

MOST_FACTORS = 20_000
"""Bound on the comparisons of factors: equal factors can be paired in many ways."""


@dataclass(frozen=True)
class Identity:
    """Pairs of parameters and of streams; `packed` if some parameters are blocks of others."""

    parameters: list[tuple[str, str]]
    names: dict[str, str]
    packed: bool


def identity(ours: Forms, theirs: Forms, roots: Sequence[tuple[str, str]]) -> Identity | None:
    """The match of the results of two graphs; None if there is none or the search takes too long."""
    search = _Exact(ours, theirs)
    try:
        pairs = [(ours.whole(ours.graph.roots[a]), theirs.whole(theirs.graph.roots[b])) for a, b in roots]
        state = next(search.all(pairs), None)
    except (UsageError, RecursionError):
        return None
    if state is None:
        return None
    names = list(dict.fromkeys((a.name, b.name) for a, b in _blocks(state)))
    counts = Counter(("ours", a) for a, _ in names) + Counter(("theirs", b) for _, b in names)
    alone = [(a, b) for a, b in names if counts["ours", a] == counts["theirs", b] == 1]
    return Identity(alone, _names(state, ours, theirs), len(alone) < len(names))


class _Exact(Search):
    """A search in which each term has a partner, and parameters are paired one to one."""

    def __init__(self, ours: Forms, theirs: Forms) -> None:
        super().__init__(ours, theirs, Difference())
        self.left = MOST_FACTORS

    def all(self, pairs: Sequence[tuple[Sum, Sum]]) -> Iterator[State]:
        """All ways to match all pairs of sums."""
        yield from self._all([a for a, _ in pairs], [b for _, b in pairs], State())

    def _terms(self, ours: Sequence[Term], theirs: Sequence[Term], state: State) -> Iterator[State]:
        if len(ours) != len(theirs):
            return
        if not ours:
            yield state
            return
        for place, other in enumerate(theirs):
            for found in self._term(ours[0], other, state):
                yield from self._terms(ours[1:], [*theirs[:place], *theirs[place + 1 :]], found)

    def _term(self, a: Term, b: Term, state: State) -> Iterator[State]:
        coefficients = [[number for number, _ in term.parameters] for term in (a, b)]
        if len(coefficients[0]) == len(coefficients[1]) and all(map(math.isclose, *coefficients)):
            yield from filter(_is_one_to_one, super()._term(a, b, state))

    def _factor(self, a: Factor, b: Factor, state: State) -> Iterator[State]:
        self.left -= 1
        if self.left < 0:
            raise UsageError("the equations can't be compared: too many of their factors are alike")
        yield from super()._factor(a, b, state)


def _blocks(state: State) -> Iterator[tuple[Block, Block]]:
    for equation in state.equations:
        yield from ((a, b) for (_, a), (_, b) in zip(equation.ours, equation.theirs, strict=True))


def _is_one_to_one(state: State) -> bool:
    pairs = set(_blocks(state))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _names(state: State, ours: Forms, theirs: Forms) -> dict[str, str]:
    """The pairs of names of states, inputs and calls."""
    found: dict[str, str] = {}
    inputs = set(ours.graph.sources("input"))
    for a, b in state.pairs:
        if isinstance(a, str) and isinstance(b, str):
            found |= {a: b} if a in inputs else {}
        elif isinstance(a, tuple) and isinstance(b, tuple):
            found[ours.graph[a[0]].name] = theirs.graph[b[0]].name
    called = ((ours.names.get(a, ""), theirs.names.get(b, "")) for a, b in state.calls)
    return {a: b for a, b in chain(found.items(), called) if a and b}
