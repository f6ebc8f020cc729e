"""Pairs the states of two cells, and finds the gates that are inverted or coupled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

from recurrency.comparing.alignment import UNIT, Alignment, SameStream
from recurrency.comparing.assignment import assignment
from recurrency.comparing.cuts import Cut
from recurrency.equations.forms import Part
from recurrency.equations.polynomials import Sum
from recurrency.errors import UsageError

ROUNDS = 3
"""How often the costs of pairs of states are updated by the costs of the states that they read."""
MANY_GATES = 12
"""Gates of cells with more than this are not replaced."""
SAME_OUTPUT = 3 * UNIT
"""The bonus of a pair of states that are the same output."""
MOST_PAIRS = 5_000
"""Cells with more pairs of states than this, such as two with 71 each, are compared as text."""
MOST_READINGS = 3
"""Greatest number of replaced gates."""


@dataclass(frozen=True)
class GateRead:
    """A gate of one side (0 ours, 1 theirs) that is replaced by one minus itself, or by one minus the gate `other`."""

    side: int
    gate: str
    other: str = ""


@dataclass(frozen=True)
class Fitted:
    """An alignment of two systems of equations, with the pairs of results and of states, and its cost."""

    alignment: Alignment
    results: tuple[tuple[Sum, Sum], ...]
    states: dict[int, int]
    cost: int
    reads: tuple[GateRead, ...] = ()

    def weight(self) -> int:
        """The size of both systems."""
        alignment, total = self.alignment, 0
        for side, cut in enumerate((alignment.ours, alignment.theirs)):
            results = [pair[side] for pair in self.results]
            total += sum(map(alignment.weight, [*results, *map(cut.definition, cut.states(results))]))
        return total


class Fitter:
    """Aligns pairs of roots of two graphs; `inputs` maps our inputs to theirs."""

    def __init__(self, roots: Sequence[tuple[str, str]], inputs: dict[str, str]) -> None:
        self.roots, self.inputs = roots, inputs

    def best(self, ours: Cut, theirs: Cut) -> Fitted:
        """Pair the states at the least cost, then replace gates as long as that reduces the cost.

        Raises:
            UsageError: there are too many states.
        """
        results = self._results(ours, theirs)
        fitted = self.fit(ours, theirs, self._states(ours, theirs, results))
        while len(fitted.reads) < MOST_READINGS and fitted.cost > UNIT:
            tries = [self.fit(a, b, fitted.states, (*fitted.reads, read)) for a, b, read in _readings(fitted)]
            better = min(tries, key=lambda found: found.cost, default=fitted)
            if better.cost >= fitted.cost:
                break
            fitted = better
        return fitted

    def fit(self, ours: Cut, theirs: Cut, states: dict[int, int], reads: tuple[GateRead, ...] = ()) -> Fitted:
        """The alignment with these pairs of states."""

        def same(a: int, b: int) -> int:
            if a in ours.cuts or b in theirs.cuts:
                return 0 if states.get(a) == b else 2 * UNIT
            names = (str(cut.graph[id].attrs.get("name")) for cut, id in ((ours, a), (theirs, b)))
            return 0 if self.inputs.get(next(names)) == next(names) else 2 * UNIT

        alignment = Alignment(ours, theirs, same, self.inputs)
        results = self._results(ours, theirs)
        mine, others = (cut.states([pair[side] for pair in results]) for side, cut in enumerate((ours, theirs)))
        cost = sum(alignment.sum(a, b).cost for a, b in results) + UNIT * len(reads)
        for a in mine:
            cost += _cost(alignment, a, states[a]) if a in states else UNIT + alignment.weight(ours.definition(a))
        alone = [b for b in others if b not in states.values()]
        cost += sum(UNIT + alignment.weight(theirs.definition(b)) for b in alone)
        return Fitted(alignment, results, {a: states[a] for a in mine if a in states}, cost, reads)

    def _results(self, ours: Cut, theirs: Cut) -> tuple[tuple[Sum, Sum], ...]:
        return tuple((ours.whole(ours.graph.roots[a]), theirs.whole(theirs.graph.roots[b])) for a, b in self.roots)

    def _states(self, ours: Cut, theirs: Cut, results: Sequence[tuple[Sum, Sum]]) -> dict[int, int]:
        """The pairs of states with the least cost, given the costs of the states that they read."""
        mine, others = (cut.states([pair[side] for pair in results]) for side, cut in enumerate((ours, theirs)))
        if len(mine) * len(others) > MOST_PAIRS:
            raise UsageError(f"{len(mine)} and {len(others)} states are too many to compare")
        outputs = {(_only_state(a), _only_state(b)) for a, b in results}
        unlike: dict[tuple[int, int], int] = {}
        for last in range(ROUNDS, 0, -1):
            alignment = Alignment(ours, theirs, _known(unlike), self.inputs)
            left = [alignment.weight(ours.definition(a)) for a in mine]
            right = [alignment.weight(theirs.definition(b)) for b in others]
            costs = {(a, b): _cost(alignment, a, b) for a in mine for b in others}
            if last == 1:
                break
            for (a, wa), (b, wb) in product(zip(mine, left, strict=True), zip(others, right, strict=True)):
                unlike[a, b] = min(2 * UNIT, 2 * UNIT * costs[a, b] // max(1, wa + wb))
        table = [[costs[a, b] + SAME_OUTPUT * ((a, b) not in outputs) for b in others] for a in mine]
        _, pairs = assignment(table, [w + SAME_OUTPUT for w in left], [w + SAME_OUTPUT for w in right])
        return {mine[i]: others[j] for i, j in pairs if i is not None and j is not None}


def _known(unlike: Mapping[tuple[int, int], int]) -> SameStream:
    """The costs of the last round; 0 in the first one."""
    found = dict(unlike)
    return lambda a, b: found.get((a, b), 0)


def _cost(alignment: Alignment, a: int, b: int) -> int:
    """The cost of pairing two states, by their equations, initial values and names."""
    ours, theirs = alignment.ours, alignment.theirs
    cost = alignment.sum(ours.definition(a), theirs.definition(b)).cost
    cost += sum(alignment.sum(x, y).cost for x, y in first_values(alignment, a, b))
    shapes = ours.graph[a].type.shape, theirs.graph[b].type.shape
    return cost + UNIT * (shapes[0] != shapes[1]) + (ours.graph[a].name != theirs.graph[b].name)


def first_values(alignment: Alignment, a: int, b: int) -> list[tuple[Sum, Sum]]:
    """The initial values of two states, in pairs; zero if there is none."""
    sides = []
    for cut, id in ((alignment.ours, a), (alignment.theirs, b)):
        sides.append([cut.form((first, cut.rows(id))) for first in cut.first[id]])
    length = max(map(len, sides))
    mine, others = ([*side, *[Sum()] * (length - len(side))] for side in sides)
    return list(zip(mine, others, strict=True))


def _only_state(form: Sum) -> int | None:
    """The state that is the whole of a sum, if there is one."""
    found = [factor for product in form.terms for factor in product.factors]
    stream = getattr(found[0], "stream", None) if len(found) == 1 else None
    return stream if isinstance(stream, int) else None


def _readings(fitted: Fitted) -> Iterator[tuple[Cut, Cut, GateRead]]:
    """All ways to replace one more gate: by one minus itself or, on the side with more gates, by one minus another."""
    cuts = fitted.alignment.ours, fitted.alignment.theirs
    gates = [cut.families() for cut in cuts]
    counts = [sum(map(len, side.values())) for side in gates]
    if max(counts) > MANY_GATES:
        return
    for side, families in enumerate(gates):
        if not any(read.side != side and not read.other for read in fitted.reads):
            for name, parts in families.items():
                yield *_with(cuts, side, dict.fromkeys(parts.values())), GateRead(side, name)
        for name, other in permutations(families, 2) if counts[side] > counts[1 - side] else ():
            pairs = _coupled(cuts[side], families[name], families[other])
            if pairs:
                yield *_with(cuts, side, pairs), GateRead(side, name, other)


def _coupled(cut: Cut, parts: dict[str, Part], others: dict[str, Part]) -> dict[Part, Part]:
    """The members of a family with those of the same index in another; empty if one of these needs its partner."""
    if parts.keys() != others.keys() or any(cut.needs(others[index], part[0]) for index, part in parts.items()):
        return {}
    return {part: others[index] for index, part in parts.items()}


def _with(cuts: tuple[Cut, Cut], side: int, readings: Mapping[Part, Part | None]) -> tuple[Cut, Cut]:
    changed = cuts[side].reading(readings)
    return (cuts[0], changed) if side else (changed, cuts[1])
