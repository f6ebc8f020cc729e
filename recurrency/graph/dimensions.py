"""Dimensions as units: polynomials over names, which do not mix until they get numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Monomial: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Poly:
    """A sum of products of dimension names with factors, such as `2 * H + 1`; never a plain number.

    `terms` maps each sorted product of names to its factor, as a sorted tuple. Arithmetic gives a plain number again as
    soon as no name is left. Where a spec says `H / 2`, a factor is a `Fraction`, and so may be that number.
    """

    terms: tuple[tuple[Monomial, int], ...]

    def __add__(self, other: int | Poly) -> int | Poly:
        return _normal(_terms(self) + _terms(other))

    __radd__ = __add__

    def __neg__(self) -> int | Poly:
        return _normal([(names, -factor) for names, factor in self.terms])

    def __sub__(self, other: int | Poly) -> int | Poly:
        return self + (-other)

    def __rsub__(self, other: int) -> int | Poly:
        return -self + other

    def __mul__(self, other: int | Poly) -> int | Poly:
        return _normal([(tuple(sorted(a + b)), p * q) for a, p in self.terms for b, q in _terms(other)])

    __rmul__ = __mul__

    def divided(self, number: int) -> int | Poly | None:
        """This dimension divided by `number`; None if it does not divide exactly."""
        if number == 0 or any(factor % number for _, factor in self.terms):
            return None
        return _normal([(names, factor // number) for names, factor in self.terms])

    def __str__(self) -> str:
        text = ""
        for names, factor in self.terms:
            size = " * ".join(([] if abs(factor) == 1 and names else [str(abs(factor))]) + list(names))
            sign = "-" if factor < 0 else "+"
            text += f" {sign} {size}" if text else (f"-{size}" if factor < 0 else size)
        return text


def _terms(value: int | Poly) -> list[tuple[Monomial, int]]:
    return list(value.terms) if isinstance(value, Poly) else [((), value)]


def _normal(terms: list[tuple[Monomial, int]]) -> int | Poly:
    total: dict[Monomial, int] = {}
    for names, factor in terms:
        total[names] = total.get(names, 0) + factor
    kept = {names: factor for names, factor in total.items() if factor}
    if not kept:
        return 0
    if set(kept) == {()}:
        return kept[()]
    return Poly(tuple(sorted(kept.items(), key=lambda item: (not item[0], item[0]))))


def symbol(name: str) -> Poly:
    """The dimension called `name`, a unit of its own."""
    return Poly((((name,), 1),))


Dim: TypeAlias = int | Poly | str
"""A number, a symbolic dimension, or (a string) the number of steps of the clock of this name."""


def plus(a: Dim, b: Dim) -> Dim:
    """The sum of two dimensions.

    Raises:
        TypeError: one of them is a number of steps.
    """
    if isinstance(a, str) or isinstance(b, str):
        raise TypeError(f"{a} and {b} have no sum: one is the number of steps of a clock")
    return a + b
