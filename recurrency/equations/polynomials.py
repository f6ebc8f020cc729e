"""The normal form of equations: sums of products, whose factors are streams, functions of sums, and parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from recurrency.errors import UsageError

Range: TypeAlias = tuple[int, int]
"""Elements of an axis, from 0; the end is exclusive."""

GREATEST_SUM = 500
"""Bound on the terms of one expanded sum."""


@dataclass(frozen=True)
class Block:
    """A block of a parameter: a range of each axis; `transposed` if it is read with its axes swapped."""

    name: str
    ranges: tuple[Range, ...]
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, after transposition."""
        sizes = tuple(stop - start for start, stop in self.ranges)
        return sizes[::-1] if self.transposed else sizes


@dataclass(frozen=True)
class Input:
    """Elements of an input."""

    name: str
    rows: Range | None


@dataclass(frozen=True)
class Past:
    """Elements of a stream `delay` steps ago; `stream` and `first`, its initial values, are nodes."""

    stream: int
    rows: Range | None
    delay: int
    first: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A function of sums; `attributes` is text."""

    op: str
    attributes: str
    args: tuple[Sum, ...]


@dataclass(frozen=True)
class Times:
    """A matrix of parameters times a vector, which is one product."""

    matrix: Block
    vector: Product


Factor: TypeAlias = Block | Input | Past | Call | Times


@dataclass(frozen=True, eq=False)
class Product:
    """An element-wise product; the factors keep the order of the text, equality ignores it."""

    factors: tuple[Factor, ...] = ()

    @cached_property
    def key(self) -> frozenset[tuple[Factor, int]]:
        """Equal for equal products."""
        return frozenset(Counter(self.factors).items())

    @cached_property
    def kinds(self) -> frozenset[tuple[object, int]]:
        """The number of factors of each kind: equal for products that may match."""
        return frozenset(Counter(map(_kind, self.factors)).items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Product) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _kind(factor: Factor) -> object:
    match factor:
        case Call():
            return factor.op, factor.attributes, len(factor.args)
        case Past():
            return Past, factor.delay
        case Input():
            return Input, factor.rows
        case Times():
            return Times, factor.matrix.shape
        case Block():
            return Block, factor.shape


@dataclass(frozen=True, eq=False)
class Sum:
    """Products with coefficients other than 0; they keep the order of the text, equality ignores it."""

    terms: Mapping[Product, float] = field(default_factory=dict)

    @cached_property
    def key(self) -> frozenset[tuple[Product, float]]:
        """Equal for equal sums."""
        return frozenset(self.terms.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __add__(self, other: Sum) -> Sum:
        return collected([*self.terms.items(), *other.terms.items()])

    def __mul__(self, other: Sum) -> Sum:
        pairs = [(Product(p.factors + q.factors), a * b) for p, a in self.terms.items() for q, b in other.terms.items()]
        return collected(pairs)

    def scaled(self, factor: float) -> Sum:
        """The sum times a number."""
        return Sum({product: coefficient * factor for product, coefficient in self.terms.items()} if factor else {})

    @property
    def number(self) -> float | None:
        """The value of a constant sum; None for any other."""
        if not self.terms:
            return 0.0
        return self.terms.get(Product()) if len(self.terms) == 1 else None


def collected(pairs: Iterable[tuple[Product, float]]) -> Sum:
    """The sum of these products; equal products are added up, and those that cancel are dropped.

    Raises:
        UsageError: the sum is too long.
    """
    terms: dict[Product, float] = {}
    for product, coefficient in pairs:
        terms[product] = terms.get(product, 0.0) + coefficient
    if len(terms) > GREATEST_SUM:
        raise UsageError("the equations are too long to compare: an expanded sum has too many terms")
    return Sum({product: coefficient for product, coefficient in terms.items() if coefficient})


def split_off(product: Product) -> tuple[Block | Times, Product] | None:
    """A product as its parameter factor and the other factors; None unless it has exactly one parameter factor."""
    pieces = [factor for factor in product.factors if isinstance(factor, Block | Times)]
    if len(pieces) != 1:
        return None
    return pieces[0], Product(tuple(factor for factor in product.factors if factor is not pieces[0]))


def factors(form: Sum, seen: set[Factor] | None = None) -> Iterator[Factor]:
    """All factors of a sum, inside functions and products too, without those in `seen`, which is updated."""
    seen = set() if seen is None else seen
    later: list[Factor] = [factor for product in form.terms for factor in product.factors]
    while later:
        factor = later.pop()
        if factor in seen:
            continue
        seen.add(factor)
        yield factor
        if isinstance(factor, Call):
            later += [inner for arg in factor.args for product in arg.terms for inner in product.factors]
        elif isinstance(factor, Times):
            later += factor.vector.factors


def constant(value: float) -> Sum:
    """A number."""
    return Sum({Product(): value} if value else {})


def single(factor: Factor) -> Sum:
    """One factor."""
    return Sum({Product((factor,)): 1.0})
