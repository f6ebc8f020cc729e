"""What an undefined name may mean: rules in the order in which they are tried."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from recurrency.errors import nearest
from recurrency.graph.dimensions import Poly
from recurrency.language import syntax
from recurrency.language.elaboration.names import Names
from recurrency.language.elaboration.numbers import ARITHMETIC, compute, is_number, names_of, negated, whole
from recurrency.language.foreign_names import METHODS, MODULES, SELF, known_as, plain, said_here
from recurrency.language.sources import library_index
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS, Function

NUMERIC: dict[str, Callable[[float], float]] = {
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "cos")},
    "abs": abs,
    "sigmoid": lambda x: 0.5 * math.tanh(0.5 * x) + 0.5,
    "square": lambda x: x * x,
}
NO_TRANSPOSE = "a vector has no transpose: dot({0}, b) is a number, outer({0}, b) a matrix"
PAST = "prev|pre|previous|old|last|before|prior|past|lag"
MINUS = "tm|tminus|t_minus|minus|m|t"
BEFORE = re.compile(rf"^(?P<name>.+?)_?(?:(?:{PAST})_?(?P<k>\d*)|(?:{MINUS})_?(?P<l>\d+))$")
BEFORE_FIRST = re.compile(r"^(?:prev|pre|previous|old|last|prior|past)_?(?P<name>.+)$")
AFTER = re.compile(r"^(?P<name>.+?)_?(?:next|tp1|t_plus_1|t_p1|plus1|p1)$|^next_?(?P<other>.+)$")
FIRST = re.compile(r"^(?P<name>.+?)_?(?:0|init|initial|start|zero)$|^(?:init|initial|first)_?(?P<other>.+)$")
THIS = re.compile(r"^(?P<name>.+?)_?(?:t|new|curr|current|now)$|^(?:new|curr|current)_?(?P<other>.+)$")
WEIGHT = re.compile(r"^(?:[WUVRKP](?:_.*|[a-z].*|\d*)|w_.*|b(?:_.*|ias.*|\d*)|weights?.*|gain|scale|bias)$")
"""Usual names of parameters."""
CHOSEN = frozenset(
    "alpha beta gamma lambda lam lr eta eps epsilon tau dt delta rho rate decay momentum temperature p "
    "α β γ λ η ε τ δ ρ".split()
)
"""Usual names of hyperparameters, by `plain` names."""
AT_RUN_TIME = {
    "and": "`and` is evaluated at compilation; for streams of 0 and 1 write a * b",
    "or": "`or` is evaluated at compilation; for streams of 0 and 1 write max(a, b)",
    "not": "`not` is evaluated at compilation; for a stream of 0 and 1 write 1 - a",
}
BATCHES = frozenset(
    {"b", "batch", "batchsize", "bs", "t", "time", "timesteps", "steps", "seq", "seqlen", "seqlength", "length", "len"}
)
"""Names for time and batch in other frameworks, by `plain` names."""
UNBATCHED = "leave out time and batch: a shape describes one step of one sequence"


def meant(names: Names, name: str, called: bool) -> str | None:
    """The help for an unknown name; `called`: its arguments follow."""
    inside, module = names.scope, names.scope.definition.module
    defined = inside.defined
    own = [*names.env, *inside.dimensions, *(p.name for p in inside.cell.inputs), *defined.names()]
    if name in inside.clocks.values():
        return _clock(name)
    if names.alone and (name in own or defined.defines(name)):
        return f"a function of the file sees no names of a cell: pass {name} as an argument, or define it in the cell"
    callable_ = [*inside.dimensions, *defined.functions, *module.functions, *module.cells, *FUNCTIONS]
    known = callable_ if called else own
    if name in library_index():
        return module.where_is(name)
    if not called and not names.alone and (found := of_streams(names, name)):
        return found
    if len(name) > 1 and (same := known_as(name, known)):
        return f"did you mean {same}?"
    if not called and plain(name) in BATCHES and not nearest(name, own):
        return UNBATCHED
    if called or not nearest(name, own):
        elsewhere = said_here(name) or _other_kind(names, name)
        if elsewhere:
            return elsewhere
    shipped = known_as(name, library_index()) if called else None
    if shipped:
        return f"did you mean {shipped}? Add a line: use {shipped} from library"
    near = nearest(name, known) if len(name) > 1 else None
    return f"did you mean {near}?" if near else None if called else _undeclared(names, name)


def _undeclared(names: Names, name: str) -> str | None:
    """The help for a name that looks like a parameter or a hyperparameter."""
    if name in {"I", "Id", "Eye"}:
        return "the identity matrix is identity(H)"
    if plain(name) in CHOSEN:
        return f"declare a hyperparameter in the header: cell {names.scope.cell.name}[..., {name} = 0.1]"
    if WEIGHT.match(name):
        return f"declare a parameter: param {name} : [...] ~ {'zeros' if name[0] == 'b' else 'glorot_uniform'}"
    return None


def _clock(name: str) -> str:
    if name == "t":
        return "t is a clock, used only in steps such as x[t-1]; to count steps: state n : [] = 0, then n = n[t-1] + 1"
    return f"{name} is a clock; a step is written with t on every clock: x[t-1]"


def _other_kind(names: Names, name: str) -> str | None:
    """The help for a name that has a meaning elsewhere: an initialiser, a module, a size."""
    if name in INITIALISERS:
        return f"{name} is an initialiser, written after ~; a number is used for all elements"
    if len(name) > 1 and name in MODULES | SELF:
        return "names have no prefix: write the function, the stream or the parameter alone"
    return UNBATCHED if plain(name) in BATCHES else None


# ----------------------------------------------------------------------------------------------- names made of names


def of_streams(names: Names, name: str) -> str | None:
    """`h_prev`, `x_t`, `h_0`, `Wx`, `UT`: the help for a name that combines defined names."""
    inside = names.scope
    streams = {k[0] for k in (*inside.defined.equations, *inside.defined.states)} | {p.name for p in inside.cell.inputs}
    statics = {k[0] for k in inside.defined.statics}
    states = {k[0] for k in inside.defined.states}
    if base := _base(FIRST, name, states):
        return f"the initial value of the state {base} is init({base})"
    if base := _base(THIS, name, streams):
        return f"{base} alone is its value at this step: write {base}"
    if base := _base(BEFORE, name, streams) or _base(BEFORE_FIRST, name, streams):
        found = BEFORE.match(name)
        steps = (found["k"] or found["l"] or "1") if found and found["name"] == base else "1"
        return f"the value at an earlier step is written with an index: {base}[t-{steps}]"
    if base := _base(AFTER, name, streams):
        return f"the value at the next step is written with an index: {base}[t+1]"
    if name.endswith("T") and name[:-1] in statics:
        return f"write transpose({name[:-1]})"
    if name.endswith("T") and name[:-1] in streams:
        return NO_TRANSPOSE.format(name[:-1])
    for cut in range(len(name) - 1, 0, -1):
        left, right = name[:cut], name[cut:]
        if left in statics and right in streams:
            return f"write the product with its operator: {left} @ {right}{'[t-1]' * (right in states)}"
    return None


def _base(pattern: re.Pattern[str], name: str, known: Iterable[str]) -> str | None:
    found = pattern.match(name)
    groups = found.groupdict() if found else {}
    base = groups.get("name") or groups.get("other")
    return base if base in set(known) else None


def of_index(expression: syntax.Subscript, name: str, state: bool) -> str:
    """`h[-1]`, `h[0]`, `x[2]`, `h[i-1]`, `h[T]`: the help for an index that is not a step."""
    index = expression.indices[0] if len(expression.indices) == 1 else None
    if isinstance(index, syntax.Unary) and isinstance(index.operand, syntax.Number):
        return f"the value at an earlier step is written {name}[t-{index.operand.span.text}]"
    if isinstance(index, syntax.Number) and index.value == 0 and state:
        return f"the initial value of a state is init({name}); elements count from 1: slice({name}, 1, 1)"
    if isinstance(index, syntax.Number):
        element = max(1, int(index.value))
        return f"elements count from 1: slice({name}, {element}, {element}); another step is written {name}[t-1]"
    if isinstance(index, syntax.Name) and plain(index.name) in {"t", "end"}:
        return f"the value at the last step is last({name})"
    if isinstance(index, syntax.Binary) and index.op in "+-" and isinstance(index.left, syntax.Name):
        return f"the time is called t: write {name}[t{index.op}{index.right.span.text}]"
    return f"for another step write {name}[t-1], for some elements slice({name}, 1, 2)"


# ------------------------------------------------------------------------------------------------- behind a point


def of_module(names: Names, expression: syntax.Attribute) -> tuple[str, str | None] | None:
    """`torch.tanh`, `self.W`: the whole name in the spec, and the help for it."""
    path: list[str] = [expression.name]
    value = expression.value
    while isinstance(value, syntax.Attribute):
        path, value = [value.name, *path], value.value
    if not isinstance(value, syntax.Name) or value.name not in MODULES | SELF or names.finds(value.name):
        return None
    last = path[-1]
    return ".".join([value.name, *path]), _of_last(names, last, value.name)


def _of_last(names: Names, last: str, module: str) -> str | None:
    alone = "functions have no prefix" if module in MODULES and last not in NUMBERS else "names have no prefix"
    if names.finds(last):
        return f"{alone}: write {FUNCTIONS[last].signature if last in FUNCTIONS else last}"
    near = known_as(last, FUNCTIONS)
    if near:
        return f"{alone}: write {FUNCTIONS[near].signature}"
    elsewhere = said_here(last)
    if elsewhere:
        return elsewhere
    shipped = last if last in library_index() else known_as(last, library_index())
    if shipped:
        return f"add a line: use {shipped} from library, and write {shipped}[H](x)"
    if module in SELF:
        return "a cell holds parameters, declared so: param W : [H, N] ~ glorot_uniform"
    return f"{alone}; docs/language.md lists all functions"


def of_method(names: Names, name: str, receiver: str, sizes: int | None) -> str | None:
    """`W.T`, `x.sum()`: the help for an attribute or a method of a value."""
    word = plain(name)
    if word in {"t", "mt", "transpose", "h"} and sizes is not None:
        if sizes == 1:
            return NO_TRANSPOSE.format(receiver)
        return f"write transpose({receiver})"
    near = name if name in FUNCTIONS else known_as(name, FUNCTIONS)
    if near == "dot" and sizes == 2:
        return f"write {receiver} @ x"
    if near:
        others = FUNCTIONS[near].signature.partition("(")[2].rstrip(")").split(", ")[1:]
        needed = others[: FUNCTIONS[near].fewest - 1]
        return f"functions come before their arguments: write {near}({', '.join([receiver, *needed])})"
    return METHODS.get(word) or said_here(name)


def of_number(names: Names, expression: syntax.Expression) -> str | None:
    """The help for `alpha`, where `alpha = dt / tau` is an equation and a number is needed."""
    name = next((e.name for e in syntax.walk(expression) if isinstance(e, syntax.Name)), None)
    value = None if names.alone else _always(names, expression, ())
    if name is None or value is None:
        return None
    text = entry = str(value) if isinstance(value, int | Poly) else repr(float(value))
    if not isinstance(value, Poly) and whole(value) is None and "." not in text and "e" not in text:
        entry = f"{text}.0"
    header = f"{names.scope.cell.name}[..., {name} = {entry}]"
    return f"{name} is a stream, although always {text}: write {text} here, or declare it in the header, {header}"


def of_keyword(name: str, value: str, function: Function) -> str | None:
    """The help for `softmax(x, dim = -1)` and `dropout(x, p = 0.5)`."""
    signature = function.signature
    if plain(name) in {"dim", "axis", "dims", "axes", "keepdim", "keepdims"}:
        if "axis" in function.keywords and plain(name) not in {"keepdim", "keepdims"}:
            return "a vector has one axis; one of several is named, from 1 on: axis = 2"
        return "leave it out: neither time nor batch is an axis"
    if plain(name) in {"training", "inplace", "out", "dtype", "device", "reduction", "sizeaverage", "key", "rng"}:
        return "leave it out"
    inside = signature.partition("(")[2].rstrip(")").split(", ")
    if name in inside:
        values = ", ".join(value if i == name else i for i in inside)
        return f"its arguments have no names: {function.name}({values})"
    return None


def of_size(names: Names, name: str) -> str | None:
    """The help for a name where a dimension is needed, as in `[K]` and `[h, N]`."""
    cell, known = names.scope.cell, names.scope.dimensions
    if near := known_as(name, known):
        return f"did you mean the dimension {near}?"
    return None if names.finds(name) else f"declare a dimension in the header: cell {cell.name}[..., {name}]"


def _always(names: Names, expression: syntax.Expression, busy: tuple[str, ...]) -> Any:
    """The number that an expression always is, by the equations and constants that it reads; None where it varies."""
    match expression:
        case syntax.Number(value=value):
            return value
        case syntax.Unary(op="-", operand=operand):
            inner = _always(names, operand, busy)
            return None if inner is None else negated(inner)
        case syntax.Binary(op=op, left=left, right=right) if op in ARITHMETIC:
            one, two = _always(names, left, busy), _always(names, right, busy)
            try:
                return None if one is None or two is None else compute(op, one, two)
            except (ArithmeticError, ValueError):
                return None
        case syntax.Call(callee=syntax.Name(name=name), arguments=[argument]) if name in NUMERIC:
            value = _always(names, argument, busy)
            try:
                return None if value is None or names_of(value) else NUMERIC[name](float(value))
            except (ArithmeticError, ValueError):
                return None
        case syntax.Name(name=name) if name not in busy:
            defined = names.scope.defined
            written = defined.equations.get((name, ())) or defined.statics.get((name, ()))
            if written is not None and isinstance(written.statement, syntax.Equation | syntax.Const):
                return _always(names, written.statement.value, (*busy, name))
            known = names.env.get(name, names.scope.dimensions.get(name))
            return known if is_number(known) else None
    return None


# ------------------------------------------------------------------------------------------------------ whole batches


def of_batch(cell: syntax.Cell, *expressions: syntax.Expression) -> str | None:
    """The help for an input that is declared with time or batch, such as `x: [B, N]`."""
    names = {e.name for e in expressions if isinstance(e, syntax.Name)}
    for port in cell.inputs:
        rest = unbatched(port)
        if port.name in names and rest is not None:
            return f"leave out time and batch: declare {port.name}: {rest}"
    return None


def unbatched(port: syntax.Port) -> str | None:
    """The shape of an input without its time and batch dimensions; None if it has neither."""
    sizes: Sequence[syntax.Expression] = port.type.dimensions if isinstance(port.type, syntax.Shape) else ()
    kept = [s.span.text for s in sizes if not (isinstance(s, syntax.Name) and plain(s.name) in BATCHES)]
    return f"[{', '.join(kept)}]" if len(kept) < len(sizes) else None
