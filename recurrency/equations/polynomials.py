"""What equations are compared in: sums of products, whose factors are streams, functions of sums, and parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from recurrency.errors import UsageError

Range: TypeAlias = tuple[int, int]
"""Elements of an axis, from 0, the last exclusive."""

GREATEST_SUM = 500
"""Bound on the terms of one sum, once all brackets are multiplied out."""


@dataclass(frozen=True)
class Block:
    """A piece of a parameter: a range of each of its axes; `transposed` if it is read with its axes swapped."""

    name: str
    ranges: tuple[Range, ...]
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, as it is read."""
        sizes = tuple(stop - start for start, stop in self.ranges)
        return sizes[::-1] if self.transposed else sizes


@dataclass(frozen=True)
class Input:
    """Elements of an input."""

    name: str
    rows: Range | None


@dataclass(frozen=True)
class Past:
    """Elements of a stream some steps ago: the stream and its first values by their nodes."""

    stream: int
    rows: Range | None
    delay: int
    first: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A function of sums; `attributes` as text."""

    op: str
    attributes: str
    args: tuple[Sum, ...]


@dataclass(frozen=True)
class Times:
    """A matrix of parameters times a vector that is one product of factors."""

    matrix: Block
    vector: Product


Factor: TypeAlias = Block | Input | Past | Call | Times


@dataclass(frozen=True, eq=False)
class Product:
    """Factors, element by element, in the order of the text; equal in any order."""

    factors: tuple[Factor, ...] = ()

    @cached_property
    def key(self) -> frozenset[tuple[Factor, int]]:
        """What equal products have in common."""
        return frozenset(Counter(self.factors).items())

    @cached_property
    def kinds(self) -> frozenset[tuple[object, int]]:
        """What a product has in common with those that may stand for it: how many factors of each kind there are."""
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
    """Products, each with its coefficient (never 0), in the order of the text; equal in any order."""

    terms: Mapping[Product, float] = field(default_factory=dict)

    @cached_property
    def key(self) -> frozenset[tuple[Product, float]]:
        """What equal sums have in common."""
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
        """Each coefficient times a number."""
        return Sum({product: coefficient * factor for product, coefficient in self.terms.items()} if factor else {})

    @property
    def number(self) -> float | None:
        """Its value, where it has no factors."""
        if not self.terms:
            return 0.0
        return self.terms.get(Product()) if len(self.terms) == 1 else None


def collected(pairs: Iterable[tuple[Product, float]]) -> Sum:
    """The sum of these products; like ones are put together, and those that cancel disappear.

    Raises:
        UsageError: it is too long.
    """
    terms: dict[Product, float] = {}
    for product, coefficient in pairs:
        terms[product] = terms.get(product, 0.0) + coefficient
    if len(terms) > GREATEST_SUM:
        raise UsageError("the equations are too long to be compared: multiplied out, a sum has too many terms")
    return Sum({product: coefficient for product, coefficient in terms.items() if coefficient})


def parted(product: Product) -> tuple[Block | Times, Product] | None:
    """A product as its one piece of parameters and the other factors; None where it has none or several."""
    pieces = [factor for factor in product.factors if isinstance(factor, Block | Times)]
    if len(pieces) != 1:
        return None
    return pieces[0], Product(tuple(factor for factor in product.factors if factor is not pieces[0]))


def factors(form: Sum, seen: set[Factor] | None = None) -> Iterator[Factor]:
    """All factors of a sum, those inside of functions and products included, but for those that have been `seen`."""
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
