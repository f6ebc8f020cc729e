"""How a recurrence depends on its state, read from its equations: the words are those of `recurrency.passes`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from typing import TypeAlias

from recurrency.language import syntax
from recurrency.language.syntax import Expression
from recurrency.language.vocabulary.table import ELEMENTWISE, FUNCTIONS, GRADIENTS, RANDOM
from recurrency.pictures.sketching.static import Env
from recurrency.pictures.sketching.unroll import Instance, Key, reference
from recurrency.pictures.sketching.uses import operands

LINEAR = frozenset({"concat", "diag", "mean", "slice", "split", "sum", "transpose"})
"""Functions that are linear, but mix elements."""
BILINEAR = frozenset({"dot", "outer"})
TRANSPARENT = frozenset({GRADIENTS, RANDOM})
"""Groups of functions that scale each element or leave it alone."""


@dataclass(frozen=True)
class Dependence:
    """Whether each element depends on the same element of the state alone, and whether it does so linearly."""

    diagonal: bool
    affine: bool

    def __and__(self, other: Dependence) -> Dependence:
        return Dependence(self.diagonal and other.diagonal, self.affine and other.affine)


Maybe: TypeAlias = Dependence | None
"""None for what does not depend on the state at all."""
STATE = Dependence(True, True)
DIAGONAL = Dependence(True, False)
AFFINE = Dependence(False, True)
FULL = Dependence(False, False)
NAMES = {STATE: "diagonal, affine", DIAGONAL: "diagonal", AFFINE: "affine", FULL: "full"}


def kind_of(
    instances: Iterable[Instance],
    functions: Mapping[str, syntax.Fn],
    cells: Container[Key],
    bound: Mapping[str, str],
) -> str:
    """The kind of the recurrence that these equations form: full, affine, diagonal, or both of the latter.

    A member in `cells` is the use of another cell, which may be any function; `bound` says which function an entry of
    the header is.
    """
    members = list(instances)
    keys = {i.key for i in members}
    found = STATE
    for instance in members:
        reader = _Reader(instance.env, keys, functions, bound, {}, {})
        found &= FULL if instance.key in cells else reader.of(instance.value) or STATE
    return NAMES[found]


@dataclass(frozen=True)
class _Reader:
    env: Env
    keys: Container[Key]
    functions: Mapping[str, syntax.Fn]
    bound: Mapping[str, str]
    local: Mapping[str, Maybe]
    """What the parameters of the function whose body is read depend on."""
    called: dict[tuple[str, tuple[Maybe, ...]], Maybe]
    """What calls of functions that were read already depend on: each is read once for the same arguments."""

    def of(self, expression: Expression) -> Maybe:
        named = reference(expression)
        if named is not None:
            key = named.key(self.env)
            return self.local.get(named.name, STATE if key is None or key in self.keys else None)
        match expression:
            case syntax.Binary(op=op, left=left, right=right):
                return _binary(op, self.of(left), self.of(right))
            case syntax.Unary(op="-", operand=operand):
                return self.of(operand)
            case syntax.Comprehension(body=body):
                return self.of(body)
            case syntax.Call(callee=syntax.Name(name=name), arguments=arguments):
                return self._call(self.bound.get(name, name), [self.of(a) for a in arguments])
        return _all(self.of(o) for o in operands(expression)) and FULL

    def _call(self, name: str, given: list[Maybe]) -> Maybe:
        together = _all(given)
        if together is None:
            return None
        if name in self.functions:
            key = name, tuple(given)
            if key not in self.called:
                self.called[key] = FULL  # a function that calls itself, which is refused elsewhere
                fn = self.functions[name]
                local = dict(zip(fn.parameters, given, strict=False))
                self.called[key] = replace(self, local=local).of(fn.body)
            return self.called[key]
        group = FUNCTIONS[name].group if name in FUNCTIONS else ""
        if group in TRANSPARENT or (name == "where" and given[0] is None):
            return together
        if name in LINEAR or (name in BILINEAR and None in given):
            return together & AFFINE
        return together & (DIAGONAL if group == ELEMENTWISE else FULL)


def _all(given: Iterable[Maybe]) -> Maybe:
    """What something depends on that depends on all of these."""
    depending = [one for one in given if one is not None]
    return reduce(and_, depending) if depending else None


def _binary(op: str, left: Maybe, right: Maybe) -> Maybe:
    together = _all((left, right))
    if together is None or op in "+-":
        return together
    alone = left is None or right is None
    if op == "@":
        return together & (AFFINE if alone else FULL)
    linear = alone and (op == "*" or (op == "/" and right is None))
    return together if linear else together & DIAGONAL
