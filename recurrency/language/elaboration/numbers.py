"""Arithmetic at compilation: exact on whole numbers and on dimensions, which may be symbols."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeGuard

from recurrency.graph.dimensions import Poly
from recurrency.language.elaboration.signals import NeedNumber

GREATEST_TERMS = 1000
"""Bound on the terms of a dimension that is a sum of products."""
GREATEST_BITS = 128
"""Longer fractions become floating-point numbers."""

ARITHMETIC: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "+": ("add", operator.add),
    "-": ("subtract", operator.sub),
    "*": ("multiply", operator.mul),
    "/": ("divide", operator.truediv),
    "**": ("power", operator.pow),
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Estimate(float):
    """A number computed from symbolic dimensions; usable as a factor, but not for a decision."""

    names: frozenset[str]
    divisors: frozenset[str] = frozenset()
    """The dimensions of which a number is enough to make it exact: `H / M` is one of `H` once `M` is 4."""

    @classmethod
    def of(cls, *values: Any) -> Estimate:
        """The number 1, as a placeholder for what these values will give."""
        result = cls(1.0)
        result.names = names_of(*values)
        return result


def is_number(meaning: Any) -> TypeGuard[int | float | Fraction | Poly]:
    """Whether something is a number that is known at compilation."""
    return isinstance(meaning, (int, float, Fraction, Poly))


def tidy(value: Any) -> Any:
    """A number in the simplest form that is exact: `int` before `Fraction`, also for the factors of a dimension."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return value.numerator
        longest = max(value.numerator.bit_length(), value.denominator.bit_length())
        return value if longest <= GREATEST_BITS else float(value)
    if isinstance(value, Poly) and any(isinstance(factor, Fraction) for _, factor in value.terms):
        terms = tuple([(names, tidy(factor)) for names, factor in value.terms])
        return Estimate.of(value) if any(isinstance(factor, float) for _, factor in terms) else Poly(terms)
    return value


def fraction_in(sizes: tuple[Any, ...]) -> Fraction | None:
    """The first size that is not a whole number."""
    return next((size for size in sizes if isinstance(size, Fraction)), None)


def spelt(value: Any) -> str:
    """A number in a message."""
    return f"{float(value):g}" if isinstance(value, (float, Fraction)) else str(value)


def negated(value: Any) -> Any:
    """`-value`; an estimate stays one."""
    return Estimate.of(value) if isinstance(value, Estimate) else -value


def names_of(*values: Any) -> frozenset[str]:
    """The symbolic dimensions that values depend on."""
    names: frozenset[str] = frozenset()
    for value in values:
        if isinstance(value, Poly):
            names |= {n for monomial, _ in value.terms for n in monomial}
        elif isinstance(value, Estimate):
            names |= value.names
    return names


def decided(value: Any) -> Any:
    """A value that a decision needs as a number.

    Raises:
        NeedNumber: it depends on symbolic dimensions.
    """
    names = names_of(value)
    if names:
        raise NeedNumber(value.divisors or names if isinstance(value, Estimate) else names)
    return value


def as_float(value: Any) -> float:
    """A number as it enters the graph; a symbolic dimension counts as 1."""
    return 1.0 if isinstance(value, Poly) else float(value)


def compute(op: str, left: Any, right: Any) -> Any:
    """`left op right`.

    Raises:
        ArithmeticError: there is no finite value. NeedNumber: a comparison depends on a symbolic dimension.
    """
    if op in COMPARISONS:
        return _compared(op, left, right)
    if names_of(left, right):
        return tidy(_of_dimensions(op, left, right))
    if op == "/" and isinstance(left, int) and isinstance(right, int):
        left = Fraction(left)
    if op == "**" and (abs(right) > 1024 or abs(left) > 1e9 or isinstance(left, Fraction)):
        left, right = float(left), float(right)
    result = ARITHMETIC[op][1](left, right)
    if isinstance(result, complex) or not abs(result) < 1e300:
        raise ArithmeticError
    return tidy(result)


def _compared(op: str, left: Any, right: Any) -> bool:
    if names_of(left, right) and left != right:
        raise NeedNumber(names_of(left, right))
    return bool(COMPARISONS[op](0, 0) if left == right else COMPARISONS[op](left, right))


def _of_dimensions(op: str, left: Any, right: Any) -> Any:
    """Polynomials stay exact; all else is an estimate."""
    exact = not any(isinstance(v, float) for v in (left, right))
    if exact and op in ("+", "-"):
        return _bounded(ARITHMETIC[op][1](left, right))
    if exact and op == "*":
        return _product(left, right)
    if exact and op == "/" and not isinstance(right, Poly):
        return _product(left, 1 / Fraction(right))
    if op == "**" and isinstance(left, Poly) and isinstance(right, int) and 0 < right <= 4:
        result: Any = left
        for _ in range(right - 1):
            result = _product(result, left)
        return result
    found = Estimate.of(left, right)
    if exact and op == "/":
        found.divisors = names_of(right)
    return found


def _product(left: Any, right: Any) -> Any:
    sizes = [len(v.terms) if isinstance(v, Poly) else 1 for v in (left, right)]
    if sizes[0] * sizes[1] > GREATEST_TERMS:
        raise OverflowError
    return _bounded(left * right)


def _bounded(value: Any) -> Any:
    if isinstance(value, Poly) and any(abs(f) > 1e300 or len(names) > 64 for names, f in value.terms):
        raise OverflowError
    return value


def whole(value: Any) -> int | None:
    """A number without a fraction as `int`; None for any other."""
    value = decided(value)
    if isinstance(value, (int, float, Fraction)) and math.isfinite(value) and value == int(value):
        return int(value)
    return None
