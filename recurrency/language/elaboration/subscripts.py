"""What follows a name: `h[t-1]` (a step), `W[2]` (a member, or a row), `LSTM[H]` (dimensions), `fwd.c` (in a use)."""

from __future__ import annotations

from typing import Any

from recurrency.errors import nearest_help
from recurrency.graph.dimensions import Poly
from recurrency.graph.types import Kind
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    ACROSS_CLAUSES,
    MALFORMED_STEP,
    NO_SUCH_MEMBER,
    NO_SUCH_STREAM,
    UNKNOWN_NAME,
    WRONG_CLAUSE,
    brief,
)
from recurrency.language.elaboration.definitions import Key, label
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.meanings import CellValue, Shared
from recurrency.language.elaboration.numbers import is_number, spelt
from recurrency.language.elaboration.pasts import past
from recurrency.language.elaboration.scope import FnValue, Used
from recurrency.language.elaboration.signals import Poisoned, Problem
from recurrency.language.elaboration.streams import Busy, Seen, Stream
from recurrency.language.elaboration.suggestions import of_index, of_method, of_module
from recurrency.language.syntax import mentions_time
from recurrency.language.vocabulary.pieces import beyond
from recurrency.language.vocabulary.table import Function, shown

GREATEST_DELAY = 16_777_216
"""The history of a stream is an axis of a value, and bounded like any other; see `GREATEST_VALUE` for its elements."""


MOST_REGISTERS = 32
"""The longest delay, in steps at which it moves, of a stream that a mask may hold: each takes a register."""


def subscript(evaluator: Evaluator, expression: syntax.Subscript) -> Any:
    """The meaning of `value[indices]`."""
    if any(mentions_time(i) for i in expression.indices):
        return _step(evaluator, expression)
    if isinstance(expression.value, syntax.Name):
        key = _member(evaluator, expression.value.name, expression)
        if key is not None:
            return _of_family(evaluator, key, expression)
    if isinstance(expression.value, syntax.Attribute):
        return _row_inside(evaluator, expression, expression.value)
    base = evaluator.meaning(expression.value)
    if isinstance(base, CellValue):
        positional = tuple(evaluator.entry(i) for i in expression.indices)
        keywords = {k.name: evaluator.entry(k.value) for k in expression.keywords}
        return CellValue(base.definition, base.positional + positional, {**base.keywords, **keywords})
    found = _row(evaluator, expression, base.output() if isinstance(base, Used) else base)
    if found is None:
        raise _no_family(evaluator, expression, base)
    return found


def _row_inside(evaluator: Evaluator, expression: syntax.Subscript, value: syntax.Attribute) -> Any:
    """`u.y[1]`: a member of a family inside a use, or a row of a stream there."""
    used = _used(evaluator, value.value)
    if used is not None and (value.name, ()) in used.scope.streams:
        found = _row(evaluator, expression, used.scope.streams[value.name, ()])
        if found is not None:
            return found
    return attribute(evaluator, value, tuple([evaluator.integer(i) for i in expression.indices]))


def _row(evaluator: Evaluator, expression: syntax.Subscript, base: Any) -> Value | None:
    """`A[i]`: a row of a matrix, or what a value of more axes has at one index of the first; None of a vector."""
    if isinstance(base, Stream) and base.type is None and not base.busy:
        base = evaluator.value_of(base, expression.value)
    shape = base.type.shape if isinstance(base, Stream | Value) and base.type is not None else ()
    if len(shape) < 2 or expression.keywords or len(expression.indices) > len(shape):
        return None
    value = evaluator.value_of(base, expression.value)
    for index in expression.indices:
        i = evaluator.static(index)
        i = i if isinstance(i, Poly) else evaluator.integer(index)
        if beyond(value, 0, i, i):
            what, name = shown(value.type), brief(expression.value.span.text)
            title = f"there is no row {spelt(i)} in {name} {what}, whose rows count from 1"
            help = f"the value at an earlier step is written {name}[t{i}]" if isinstance(i, int) and i < 0 else None
            raise evaluator.problem(NO_SUCH_MEMBER, title, index.span, help=help)
        value = value.slice(i - 1, i).reshape(*value.type.shape[1:])
    return value


def _no_family(evaluator: Evaluator, expression: syntax.Subscript, base: Any) -> Problem:
    """The mistake of an index behind something that takes none."""
    name, what = brief(expression.value.span.text), "not a family"
    help: str | None = None
    match base:
        case Stream() | Used():
            help = of_index(expression, name, isinstance(base, Stream) and base.first is not None)
        case Shared():
            what = "an instance of a cell, whose dimensions are fixed already"
        case Value() if len(base.type.shape) > 1:
            help = f"it has {len(base.type.shape)} axes: {name}[1] is its first row"
        case Value():
            help = f"elements count from 1: slice({name}, 1, 2)"
        case Function() | FnValue():
            argument = brief(expression.indices[0].span.text)
            help = f"the arguments of a function go in round brackets: {name}({argument})"
    notes = evaluator.origins(expression.value)
    return evaluator.problem(NO_SUCH_MEMBER, f"{name} is {what}", expression.span, notes=notes, help=help)


# ------------------------------------------------------------------------------------------------------------ steps


def _step(evaluator: Evaluator, expression: syntax.Subscript) -> Any:
    """`h[t-1]`: the value at another step."""
    if len(expression.indices) != 1 or expression.keywords:
        name = brief(expression.value.span.text)
        title = "a member and a step go in separate brackets"
        raise evaluator.problem(MALFORMED_STEP, title, expression.span, help=f"write {name}[i][t-1]")
    index = expression.indices[0]
    delay = -_offset(evaluator, index)
    if abs(delay) > GREATEST_DELAY:
        title = f"a delay of {abs(delay)} steps is more than the limit of {GREATEST_DELAY}"
        raise evaluator.problem(MALFORMED_STEP, title, index.span)
    base = _delayed(evaluator, expression)
    if isinstance(base, Used):
        base = base.output()
    if isinstance(base, Stream):
        if delay != 0 and base in evaluator.within.pasts:
            return past(evaluator, expression, base, delay)
        if delay != 0:
            _allow_step(evaluator, expression, base, delay)
        return base if delay == 0 else base.at(delay)
    name = brief(expression.value.span.text)
    if (isinstance(base, Value) and base.type.kind is not Kind.STATIC) or is_number(base):
        title = f"only a named stream has other steps; {name} has no name"
        raise evaluator.problem(MALFORMED_STEP, title, expression.span, help=f"name it: s = {name}, and read s[t-1]")
    what = "has no steps: it is the same at every step" if isinstance(base, Value) else "is not a stream"
    title = f"{name} {what}"
    raise evaluator.problem(MALFORMED_STEP, title, expression.span, notes=evaluator.origins(expression.value))


def _delayed(evaluator: Evaluator, expression: syntax.Subscript) -> Any:
    """What is read at another step; a stream inside a use is found only when the use is known."""
    try:
        return evaluator.meaning(expression.value)
    except Busy as busy:
        busy.inside, busy.span = brief(expression.value.span.text), busy.span or expression.span
        raise


def _allow_step(evaluator: Evaluator, expression: syntax.Subscript, base: Stream, delay: int) -> None:
    """Refuse what a clause behind a use rules out."""
    within, text = evaluator.within, brief(expression.span.text)
    word = within.clause(base.clock)
    if delay < 0 and word:
        title = f"{text} is a later step, and {within.cell.name} is used with `{word}` here"
        raise evaluator.problem(ACROSS_CLAUSES, title, expression.span)
    if isinstance(base, Seen):
        name = brief(expression.value.span.text)
        title = f"{name} is a stream of a use with `when`, whose other steps are its own"
        raise evaluator.problem(WRONG_CLAUSE, title, expression.span, help=f"name it: s = {name}, and read s[t-1]")
    if word == "when" and delay > MOST_REGISTERS:
        title = f"within a use with `when` a delay has at most {MOST_REGISTERS} steps, not {delay}"
        raise evaluator.problem(WRONG_CLAUSE, title, expression.span)


def _offset(evaluator: Evaluator, index: syntax.Expression) -> int:
    """The k of an index `t + k`."""
    if isinstance(index, syntax.Name) and index.name == "t":
        return 0
    if isinstance(index, syntax.Binary) and index.op in "+-":
        left, right = mentions_time(index.left), mentions_time(index.right)
        if left and not right:
            k = evaluator.integer(index.right)
            return _offset(evaluator, index.left) + (k if index.op == "+" else -k)
        if right and not left and index.op == "+":
            return _offset(evaluator, index.right) + evaluator.integer(index.left)
    title = f"{brief(index.span.text)} is not a step"
    raise evaluator.problem(MALFORMED_STEP, title, index.span, help="a step is written t, t-1 or t+1")


# ---------------------------------------------------------------------------------------------------------- members


def _member(evaluator: Evaluator, name: str, expression: syntax.Subscript) -> Key | None:
    """The key of a member, if the name is a family."""
    defined = evaluator.scope.defined
    if name in evaluator.env or evaluator.alone:
        return None
    if not defined.is_family(name):
        if name in defined.spoilt:
            raise Poisoned
        return None
    if expression.keywords:
        title = f"the members of {name} have no names"
        raise evaluator.problem(NO_SUCH_MEMBER, title, expression.keywords[0].span, help=f"write {name}[1]")
    return name, tuple([evaluator.integer(i) for i in expression.indices])


def _of_family(evaluator: Evaluator, key: Key, expression: syntax.Subscript) -> Any:
    scope = evaluator.scope
    if (found := scope.find(key)) is not None:
        return found
    members = scope.defined.members(key[0])
    help = f"the members are {', '.join(members[:8])}{' ...' if len(members) > 8 else ''}"
    notes = scope.notes(key[0])
    raise evaluator.problem(NO_SUCH_MEMBER, f"there is no {label(key)}", expression.span, notes=notes, help=help)


# -------------------------------------------------------------------------------------------------- inside of a use


def attribute(evaluator: Evaluator, expression: syntax.Attribute, indices: tuple[int, ...] = ()) -> Any:
    """`fwd.c`: a stream inside a cell that is used."""
    foreign = of_module(evaluator, expression)
    if foreign is not None:
        name, help = foreign
        raise evaluator.problem(UNKNOWN_NAME, f"{name} is not defined", expression.span, help=help)
    used = _used(evaluator, expression.value)
    if used is not None:
        return _inside(evaluator, used, expression, (expression.name, indices))
    if isinstance(whole := evaluator.meaning(expression.value), Stream) and whole.opaque:
        raise Poisoned
    name, help = brief(expression.value.span.text), _method(evaluator, expression)
    if help is None and isinstance(expression.value, (syntax.Call, syntax.From)):
        help = f"name the use: u = {name}, and read u.{expression.name}"
    notes = evaluator.origins(expression.value)
    title = f"{name} is not a use of a cell"
    raise evaluator.problem(NO_SUCH_STREAM, title, expression.value.span, notes=notes, help=help)


def _method(evaluator: Evaluator, expression: syntax.Attribute) -> str | None:
    """How the method of a value, such as `x.sum()` or `W.T`, is written here."""
    meaning = evaluator.meaning(expression.value)
    if isinstance(meaning, (Used, Stream)):
        meaning = evaluator.value_of(meaning, expression.value)
    sizes = len(meaning.type.shape) if isinstance(meaning, Value) else None
    return of_method(evaluator, expression.name, brief(expression.value.span.text), sizes)


def _used(evaluator: Evaluator, base: syntax.Expression) -> Used | None:
    """The use of a cell that an expression names."""
    if evaluator.alone:
        return None
    if isinstance(base, syntax.Attribute):
        outer = _used(evaluator, base.value)
        if outer is None:
            return None
        if base.name not in outer.scope.uses and (base.name, ()) in outer.scope.streams:
            outer.scope.streams[base.name, ()].now()
        return outer.scope.uses.get(base.name)
    path = _path(evaluator, base)
    if path is not None and path not in evaluator.scope.uses:
        meaning = evaluator.meaning(base)
        if isinstance(meaning, Stream):
            try:
                meaning.now()
            except Busy:
                if path not in evaluator.scope.uses:
                    raise
    return evaluator.scope.uses.get(path) if path is not None else None


def _path(evaluator: Evaluator, base: syntax.Expression) -> str | None:
    """The name of a use: `fwd`, `enc[1]`."""
    if isinstance(base, syntax.Name):
        return base.name
    if isinstance(base, syntax.Subscript) and isinstance(base.value, syntax.Name):
        if any(mentions_time(i) for i in base.indices):
            return None
        return label((base.value.name, tuple([evaluator.integer(i) for i in base.indices])))
    return None


def _inside(evaluator: Evaluator, used: Used, expression: syntax.Attribute, key: Key) -> Any:
    scope = used.scope
    if label(key) in scope.uses and key not in scope.streams:
        return scope.uses[label(key)]
    found = scope.find(key)
    if found is not None and not isinstance(found, Shared):
        return scope.outside(found) if isinstance(found, Stream) else found
    known = [label(k) for k in scope.streams]
    help = nearest_help(label(key), known, f"its streams are {', '.join(known[:8])}")
    title = f"{scope.cell.name} has no stream {label(key)}"
    raise evaluator.problem(NO_SUCH_STREAM, title, expression.span, help=help)
