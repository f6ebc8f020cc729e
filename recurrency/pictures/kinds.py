"""How a recurrence depends on its state: through any function, through an affine one, or element by element."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from enum import IntEnum

from recurrency.language import syntax
from recurrency.language.syntax import Expression
from recurrency.pictures.static import Env
from recurrency.pictures.unroll import Instance, Key, reference
from recurrency.pictures.uses import operands


class Degree(IntEnum):
    """How an expression depends on the members of the recurrence, the plainest first."""

    CONSTANT = 0
    DIAGONAL = 1
    AFFINE = 2
    FULL = 3


LINEAR = {
    "concat": Degree.AFFINE,
    "diag": Degree.AFFINE,
    "mean": Degree.AFFINE,
    "slice": Degree.AFFINE,
    "split": Degree.AFFINE,
    "sum": Degree.AFFINE,
    "transpose": Degree.AFFINE,
    "clip_grad": Degree.DIAGONAL,
    "dropout": Degree.DIAGONAL,
    "noise": Degree.DIAGONAL,
    "stop_grad": Degree.DIAGONAL,
    "zoneout": Degree.DIAGONAL,
}
"""Functions that are linear in all their arguments together."""
BILINEAR = frozenset({"dot", "outer"})


def kind_of(instances: Iterable[Instance], functions: Mapping[str, syntax.Fn], cells: Container[Key]) -> str:
    """`full`, `affine` or `diagonal`: the kind of the recurrence that these equations form.

    A member in `cells` is the use of another cell, which may be any function.
    """
    members = list(instances)
    keys = {i.key for i in members}
    degrees = [Degree.FULL if i.key in cells else _degree(i.value, i.env, keys, functions, {}) for i in members]
    return max(degrees, default=Degree.FULL).name.lower()


def _degree(
    expression: Expression,
    env: Env,
    keys: Container[Key],
    functions: Mapping[str, syntax.Fn],
    local: Mapping[str, Degree],
) -> Degree:
    def of(e: Expression) -> Degree:
        return _degree(e, env, keys, functions, local)

    named = reference(expression)
    if named is not None:
        key = named.key(env)
        return local.get(named.name, Degree.DIAGONAL if key is None or key in keys else Degree.CONSTANT)
    match expression:
        case syntax.Binary(op=op, left=left, right=right):
            return _binary(op, of(left), of(right))
        case syntax.Unary(op="-", operand=operand):
            return of(operand)
        case syntax.Comprehension(body=body):
            return of(body)
        case syntax.Call(callee=syntax.Name(name=name), arguments=arguments):
            return _call(name, [of(a) for a in arguments], env, keys, functions)
    inside = max((of(o) for o in operands(expression)), default=Degree.CONSTANT)
    return Degree.FULL if inside else Degree.CONSTANT


def _binary(op: str, left: Degree, right: Degree) -> Degree:
    if not (left or right):
        return Degree.CONSTANT
    if op in "+-":
        return max(left, right)
    if left and right or op not in "*/@" or (op == "/" and right):
        return Degree.FULL
    return max(left, right, Degree.AFFINE) if op == "@" else max(left, right)


def _call(
    name: str, given: list[Degree], env: Env, keys: Container[Key], functions: Mapping[str, syntax.Fn]
) -> Degree:
    most = max(given, default=Degree.CONSTANT)
    if most is Degree.CONSTANT:
        return most
    if name in functions:
        fn = functions[name]
        rest = {n: f for n, f in functions.items() if n != name}
        return _degree(fn.body, env, keys, rest, dict(zip(fn.parameters, given, strict=False)))
    if name == "where" and not given[0]:
        return most
    if name in BILINEAR and sum(1 for d in given if d) == 1:
        return max(most, Degree.AFFINE)
    return max(most, LINEAR.get(name, Degree.FULL))
