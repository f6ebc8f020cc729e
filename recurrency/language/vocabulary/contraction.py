"""Sums of products of several values along named axes, as a chain of products of two.

The order is the one with the fewest multiplications, found among all orders; of equal ones the first. What is the same
at all steps is computed once, and so counts less.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import prod

from recurrency.graph.types import Kind, join
from recurrency.graph.value import Value

MANY = 32
"""The number of sequences, and of steps, that the search for an order assumes."""
UNKNOWN = 8
"""The size that it assumes for a dimension without a number."""
NAMES = "ijklmnopqrstuvwxyzabcdefgh"
"""The letters of products in the graph, in the order of their axes."""


@dataclass(frozen=True)
class Factor:
    """A value with a letter for each of its axes."""

    value: Value
    letters: str


def contracted(factors: list[Factor], out: str) -> Value:
    """The product of all factors, summed over the letters that `out` lacks; the axes are those of `out`."""
    factors = [_summed(f, set(out).union(*(g.letters for g in factors if g is not f))) for f in factors]
    found = factors[0] if len(factors) == 1 else _Search(factors, out).best()
    return found.value.transpose(tuple(found.letters.index(c) for c in out))


def _summed(f: Factor, needed: set[str]) -> Factor:
    """A factor summed over the letters that nothing else needs."""
    gone = tuple(k for k, c in enumerate(f.letters) if c not in needed)
    return Factor(f.value.reduce("sum", gone) if gone else f.value, "".join(c for c in f.letters if c in needed))


def product_of(a: Factor, b: Factor, needed: set[str], out: str) -> Factor:
    """The product of two factors, summed over the letters that are not needed; `out` is the order that is wanted."""
    letters = "".join(dict.fromkeys(a.letters + b.letters))
    kept = "".join(c for c in letters if c in needed)
    if kept == letters and set(a.letters) >= set(b.letters):
        return Factor(a.value * _spread(b, a), a.letters)
    if kept == letters and set(b.letters) >= set(a.letters):
        return Factor(_spread(a, b) * b.value, b.letters)
    kept = (
        out if set(out) == set(kept) else "".join(sorted(kept, key=lambda c: c not in a.letters or c not in b.letters))
    )
    names = dict(zip(letters, NAMES, strict=False))
    first, second, result = ("".join(names[c] for c in x) for x in (a.letters, b.letters, kept))
    return Factor(a.value.product(b.value, f"{first},{second}->{result}"), kept)


def _spread(f: Factor, like: Factor) -> Value:
    """A factor with the axes of another one, which has them all."""
    ordered = "".join(c for c in like.letters if c in f.letters)
    value = f.value.transpose(tuple(f.letters.index(c) for c in ordered))
    new = tuple(k for k, c in enumerate(like.letters) if c not in f.letters)
    return value.expand(new, tuple(like.value.type.shape[k] for k in new)) if new else value


Group = frozenset[int]


class _Search:
    """The cheapest order of products of two."""

    def __init__(self, factors: list[Factor], out: str) -> None:
        self.factors, self.out = factors, out
        sizes = {c: d for f in factors for c, d in zip(f.letters, f.value.type.shape, strict=True)}
        self.sizes = {c: d if isinstance(d, int) else UNKNOWN for c, d in sizes.items()}
        self.known: dict[Group, tuple[int, tuple[Group, Group] | None]] = {}

    def best(self) -> Factor:
        """The product of all factors."""
        everything = frozenset(range(len(self.factors)))
        self._cost(everything)
        return self._made(everything)

    def _needed(self, group: Group) -> set[str]:
        """The letters of what is outside a group, or of the result."""
        return set(self.out).union(*(f.letters for k, f in enumerate(self.factors) if k not in group))

    def _letters(self, group: Group) -> set[str]:
        """The letters of the product of a group."""
        own = set[str]().union(*(self.factors[k].letters for k in group))
        return own if len(group) == 1 else own & self._needed(group)

    def _cost(self, group: Group) -> int:
        """The multiplications for the product of a group, in its cheapest order."""
        if len(group) == 1:
            return 0
        if group not in self.known:
            first, *rest = sorted(group)
            pairs = (frozenset({first, *some}) for n in range(len(rest)) for some in combinations(rest, n))
            found = [(self._cost(a) + self._cost(group - a) + self._step(a, group - a), a) for a in pairs]
            cost, a = min(found, key=lambda pair: pair[0])
            self.known[group] = (cost, (a, group - a))
        return self.known[group][0]

    def _step(self, a: Group, b: Group) -> int:
        kind, _ = join(*(self.factors[k].value.type for k in a | b))
        times = {Kind.STATIC: 1, Kind.SEQUENCE: MANY, Kind.STREAM: MANY * MANY}[kind]
        return times * prod(self.sizes[c] for c in self._letters(a) | self._letters(b))

    def _made(self, group: Group) -> Factor:
        if len(group) == 1:
            return self.factors[min(group)]
        sides = self.known[group][1]
        assert sides is not None
        return product_of(self._made(sides[0]), self._made(sides[1]), self._needed(group), self.out)
