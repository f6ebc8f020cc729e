"""Expressions of a cell: numbers are computed, streams become nodes of the graph."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from recurrency.errors import Span
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.instance import Instance, Key, label
from recurrency.language.modules import nearest
from recurrency.language.streams import CellValue, FnValue, NeedNumber, Shared, Stream, Used
from recurrency.language.uses import use_cell
from recurrency.language.vocabulary import FUNCTIONS, Function, shown

GREATEST_DELAY = 10_000
NUMBERS = (int, float, Poly)

ARITHMETIC: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "+": ("add", operator.add), "-": ("subtract", operator.sub), "*": ("multiply", operator.mul),
    "/": ("divide", operator.truediv), "**": ("power", operator.pow),
}  # fmt: skip
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
PRODUCTS = {(2, 1): "ij,j->i", (2, 2): "ij,jk->ik", (1, 2): "i,ij->j"}


class Evaluator:
    """Evaluates in one instance of a cell, with local names (`env`), for the definition called `target`."""

    def __init__(self, instance: Instance, env: Mapping[str, Any], target: str, counts: dict[str, int] | None = None) -> None:
        self.instance, self.env, self.target = instance, env, target
        self.work = instance.work
        self.counts: dict[str, int] = {} if counts is None else counts

    def inner(self, env: Mapping[str, Any], instance: Instance | None = None) -> Evaluator:
        """The same definition with other local names."""
        return Evaluator(instance or self.instance, env, self.target, self.counts)

    def fail(self, number: int, title: str, span: Span, **rest: Any) -> NoReturn:
        """Report a mistake."""
        raise self.work.problem(number, title, span, **rest)

    # --------------------------------------------------------------------------------------------- forms of values

    def equation(self, expression: syntax.Expression) -> Value:
        """The right-hand side of a definition; a cell that is used directly gets the definition's name."""
        return self._value_of(self.meaning(expression, direct=True), expression)

    def value(self, expression: syntax.Expression) -> Value:
        """An expression as a node of the graph (numbers become constants)."""
        return self._value_of(self.meaning(expression), expression)

    def _value_of(self, meaning: Any, expression: syntax.Expression) -> Value:
        if isinstance(meaning, Stream):
            return meaning.now()
        if isinstance(meaning, Used):
            return meaning.output().now()
        if isinstance(meaning, Value):
            return meaning
        if isinstance(meaning, NUMBERS):
            return constant(self.work.graph, self._float(meaning, expression.span))
        what = {CellValue: "a cell", Shared: "an instance of a cell", FnValue: "a function", Function: "a function"}
        self.fail(55, f"{expression.span.text} is {what.get(type(meaning), 'no value')}, not a value", expression.span,
                  help="call it: write its arguments in round brackets")  # fmt: skip

    def static(self, expression: syntax.Expression) -> Any:
        """What is known when the spec is compiled: a number, a dimension, a function or a cell."""
        meaning = self.meaning(expression)
        if isinstance(meaning, (Value, Stream, Used)):
            self.fail(32, f"{expression.span.text} is not known when the spec is compiled", expression.span,
                      help="use dimensions, numbers and loop indices; for a choice at each step there is where(c, a, b)")  # fmt: skip
        return meaning

    def number(self, expression: syntax.Expression) -> float:
        """A number; a dimension that has none yet counts as 1."""
        value = self.static(expression)
        if not isinstance(value, NUMBERS):
            self.fail(32, f"{expression.span.text} is not a number", expression.span)
        return self._float(value, expression.span)

    def _float(self, value: Any, span: Span) -> float:
        result = 1.0 if isinstance(value, Poly) else float(value)
        if not math.isfinite(result):
            self.fail(50, f"this number is {result}", span)
        return result

    def integer(self, expression: syntax.Expression) -> int:
        """A whole number; a dimension must get one for this."""
        value = self.static(expression)
        if isinstance(value, Poly):
            raise NeedNumber(frozenset(n for names, _ in value.terms for n in names))
        if not isinstance(value, (int, float)) or value != int(value):
            self.fail(32, f"{expression.span.text} is not a whole number", expression.span)
        return int(value)

    def dimension(self, expression: syntax.Expression) -> int | Poly:
        """A dimension: a unit, or a positive whole number."""
        value = self.static(expression)
        if isinstance(value, Poly):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or value > 1 << 24:
            self.fail(46, f"{expression.span.text} is not a dimension: {value!r} is no whole number from 1 to {1 << 24}"
                      if isinstance(value, (int, float)) else f"{expression.span.text} is not a dimension", expression.span)  # fmt: skip
        return value

    def shape(self, shape: syntax.Shape) -> tuple[Dim, ...]:
        """The dimensions of a shape."""
        return tuple(self.dimension(d) for d in shape.dimensions)

    def bounds(self, range_: syntax.Range) -> tuple[int, int]:
        """First and last of a range."""
        return self.integer(range_.first), self.integer(range_.last)

    # ------------------------------------------------------------------------------------------------- expressions

    def meaning(self, expression: syntax.Expression, direct: bool = False) -> Any:
        """What an expression stands for; `direct` where it is the whole of a definition."""
        handler = getattr(self, f"_{type(expression).__name__.lower()}")
        if isinstance(expression, (syntax.Conditional, syntax.Call, syntax.From)):
            return handler(expression, direct)
        return handler(expression)

    def _number(self, expression: syntax.Number) -> Any:
        return expression.value

    def _name(self, expression: syntax.Name) -> Any:
        name = expression.name
        found = self._find(name)
        if found is not None:
            return found
        family = sorted(label(k) for k in [*self.instance.streams, *self.instance.statics] if k[0] == name)
        if family:
            self.fail(30, f"{name} is a family; say which member", expression.span, help=f"its members are {', '.join(family[:6])}")
        if any(k[0] == name for k in self.instance._states):
            self.fail(26, f"{name} is declared but has no equation", expression.span)
        self._unknown(name, expression.span)

    def _unknown(self, name: str, span: Span) -> NoReturn:
        inside = self.instance
        known = [*self.env, *inside.dimensions, *(k[0] for k in inside.streams), *(k[0] for k in inside.statics)]
        near = nearest(name, [*known, *inside.functions, *inside.definition.module.cells, *FUNCTIONS])
        if name in ("T", "B"):
            near = None
        self.fail(20, f"{name} is not defined", span, help=f"did you mean {near}?" if near else None)

    def _find(self, name: str) -> Any:
        """What a name stands for, from the inside to the outside; None where nothing has it."""
        inside, key = self.instance, (name, ())
        if name in self.env:
            return self.env[name]
        if key in inside.streams:
            return inside.streams[key]
        if key in inside.statics:
            return inside.static_value(key)
        if key in inside.shared:
            return inside.shared[key]
        if name in inside.dimensions:
            return inside.dimensions[name]
        if name in inside.functions:
            return FnValue(inside.functions[name], inside)
        module = inside.definition.module
        if name in module.functions:
            return FnValue(module.functions[name], None)
        if name in module.cells:
            return CellValue(module.cells[name])
        return FUNCTIONS.get(name)

    def _unary(self, expression: syntax.Unary) -> Any:
        if expression.op == "not":
            return not self._truth(expression.operand)
        meaning = self._plain(expression.operand)
        if isinstance(meaning, NUMBERS):
            return -meaning
        return -self._real(self._value_of(meaning, expression.operand), expression.operand)

    def _truth(self, expression: syntax.Expression) -> bool:
        value = self.static(expression)
        if isinstance(value, Poly):
            raise NeedNumber(frozenset(n for names, _ in value.terms for n in names))
        return bool(value)

    def _plain(self, expression: syntax.Expression) -> Any:
        """A number or a value (streams at this step)."""
        meaning = self.meaning(expression)
        return meaning if isinstance(meaning, NUMBERS) else self._value_of(meaning, expression)

    def _real(self, value: Value, expression: syntax.Expression) -> Value:
        if value.type.index is not None:
            self.fail(45, f"{expression.span.text} holds symbols of {shown(value.type)}; there is no arithmetic on them", expression.span,
                      help="embed(E, w) or onehot(w) makes a vector of a symbol")  # fmt: skip
        return value

    def _binary(self, expression: syntax.Binary) -> Any:
        op = expression.op
        if op in ("and", "or"):
            left = self._truth(expression.left)
            return self._truth(expression.right) if left == (op == "and") else left
        left, right = self._plain(expression.left), self._plain(expression.right)
        if isinstance(left, NUMBERS) and isinstance(right, NUMBERS):
            return self._numbers(expression, left, right)
        first, second = self._operand(left, expression.left), self._operand(right, expression.right)
        self._one_clock(expression, first, second)
        if op == "@":
            return self._product(expression, first, second)
        self._one_shape(expression, first, second)
        if op in ARITHMETIC:
            return first.apply(ARITHMETIC[op][0], second)
        return compared(op, first, second)

    def _operand(self, meaning: Any, expression: syntax.Expression) -> Value:
        return self._real(self._value_of(meaning, expression), expression)

    def _numbers(self, expression: syntax.Binary, left: Any, right: Any) -> Any:
        """Arithmetic at compilation: exact on whole numbers and dimensions."""
        op = expression.op
        if op in COMPARISONS:
            if (isinstance(left, Poly) or isinstance(right, Poly)) and left != right:
                terms = [t for v in (left, right) if isinstance(v, Poly) for t in v.terms]
                raise NeedNumber(frozenset(n for names, _ in terms for n in names))
            return COMPARISONS[op](left, right)
        if op == "@":
            self.fail(21, "@ multiplies matrices and vectors, not numbers", expression.span, help="write *")
        if isinstance(left, Poly) or isinstance(right, Poly):
            return self._dimensions(op, left, right)
        try:
            if op == "/" and isinstance(left, int) and isinstance(right, int) and left % right == 0:
                return left // right
            if op == "**" and (abs(right) > 1024 or abs(left) > 1e9):
                left, right = float(left), float(right)
            result = ARITHMETIC[op][1](left, right)
        except (ArithmeticError, ValueError):
            result = math.nan
        if isinstance(result, complex) or not abs(result) < 1e300:
            self.fail(50, f"{left} {op} {right} has no finite value", expression.span)
        return result

    @staticmethod
    def _dimensions(op: str, left: Any, right: Any) -> Any:
        """Arithmetic with a dimension that has no number yet; beyond polynomials it counts as 1."""
        whole = all(isinstance(v, (int, Poly)) for v in (left, right))
        if whole and op in ("+", "-", "*"):
            return ARITHMETIC[op][1](left, right)
        if op == "/" and isinstance(left, Poly) and isinstance(right, int) and (exact := left.divided(right)) is not None:
            return exact
        if op == "**" and isinstance(left, Poly) and isinstance(right, int) and 0 < right <= 4:
            return math.prod([left] * (right - 1), start=left)
        return 1.0

    # ------------------------------------------------------------------------------------------------------ checks

    def _one_clock(self, expression: syntax.Binary, a: Value, b: Value) -> None:
        clocks = [v.type.clock for v in (a, b) if v.type.kind is Kind.STREAM]
        if len(set(clocks)) > 1:
            title = f"{expression.left.span.text} runs over {clocks[0]}, {expression.right.span.text} over {clocks[1]}"
            self.fail(28, title, expression.span, help="last, first, sums over time and attend lead from one clock to another")

    def _one_shape(self, expression: syntax.Binary, a: Value, b: Value) -> None:
        if a.type.shape and b.type.shape and a.type.shape != b.type.shape:
            left, right = expression.left.span.text, expression.right.span.text
            title = f"cannot combine {brief(left)} {shown(a.type)} and {brief(right)} {shown(b.type)} with {expression.op}"
            help = "write @ for a product of matrices and vectors" if expression.op == "*" and PRODUCTS.get((len(a.type.shape), len(b.type.shape))) else None
            self.fail(22, title, expression.span, label="the shapes differ", notes=self._origins(expression), help=help)

    def _product(self, expression: syntax.Binary, a: Value, b: Value) -> Value:
        spec = PRODUCTS.get((len(a.type.shape), len(b.type.shape)))
        left, right = brief(expression.left.span.text), brief(expression.right.span.text)
        if spec is None:
            help = "dot(a, b) multiplies two vectors, outer(a, b) makes a matrix of them" if a.type.shape and b.type.shape else "write * for a scalar"
            self.fail(21, f"cannot multiply {left} {shown(a.type)} by {right} {shown(b.type)}", expression.span, help=help, notes=self._origins(expression))
        inner = a.type.shape[-1], b.type.shape[0]
        if inner[0] != inner[1]:
            self.fail(
                21, f"cannot multiply {left} {shown(a.type)} by {right} {shown(b.type)}", expression.span,
                label=f"the inner dimensions {inner[0]} and {inner[1]} differ", notes=self._origins(expression), help=self._fitting(left, inner[0]),
            )  # fmt: skip
        return a.product(b, spec)

    def _origins(self, expression: syntax.Binary) -> tuple[str, ...]:
        """Where the names on both sides come from, in one line."""
        notes: list[str] = []
        for side in (expression.left, expression.right):
            while isinstance(side, syntax.Subscript):
                side = side.value
            if isinstance(side, syntax.Name) and side.name not in self.env:
                notes += [n for n in self.instance.notes(side.name) if n not in notes]
        return ("; ".join(notes),) if notes else ()

    def _fitting(self, left: str, size: Dim) -> str | None:
        """A state, or else another stream, that would fit behind a matrix."""
        streams = [s for s in self.instance.streams.items() if s[1].type is not None and s[1].type.shape == (size,)]
        states = [k for k, _ in streams if k in self.instance._states]
        if states:
            return f"did you mean {left} @ {label(states[-1])}[t-1]?"
        return f"did you mean {left} @ {label(streams[0][0])}?" if streams else None

    # ------------------------------------------------------------------------------------------ choices and indices

    def _conditional(self, expression: syntax.Conditional, direct: bool) -> Any:
        return self.meaning(expression.then if self._truth(expression.condition) else expression.otherwise, direct)

    def _comprehension(self, expression: syntax.Comprehension) -> Any:
        self.fail(27, "`for` stands in the brackets of sum, mean, concat, max or min", expression.span)

    def terms(self, expression: syntax.Comprehension, env: Mapping[str, Any], clauses: tuple[syntax.Clause, ...]) -> list[tuple[Mapping[str, Any], Any]]:
        """The local names and the meaning of each term of a comprehension."""
        inside = self.inner(env)
        if not clauses:
            self.work.count_definition(expression.span)
            return [(env, inside._plain(expression.body))]
        clause, out = clauses[0], []
        first, last = inside.bounds(clause.range)
        for i in range(first, last + 1):
            local = {**env, clause.index: i}
            if clause.condition is None or self.inner(local)._truth(clause.condition):
                out += self.terms(expression, local, clauses[1:])
        return out

    def _subscript(self, expression: syntax.Subscript) -> Any:
        step = self._step(expression)
        if step is not None:
            return step
        if isinstance(expression.value, syntax.Name):
            key = self._member(expression)
            if key is not None:
                return self._of_family(key, expression)
        base = self.meaning(expression.value)
        if isinstance(base, CellValue):
            positional = tuple(self.static(i) for i in expression.indices)
            return CellValue(base.definition, base.positional + positional, {**base.keywords, **{k.name: self.static(k.value) for k in expression.keywords}})
        name = expression.value.span.text
        if isinstance(base, (Stream, Used)):
            self.fail(30, f"{name} is not a family", expression.span, help=f"for another step write {name}[t-1]")
        self.fail(30, f"{name} has no members and no steps", expression.span)

    def _step(self, expression: syntax.Subscript) -> Value | None:
        """`h[t-1]`: the value at another step, if this is such an index."""
        if len(expression.indices) != 1 or expression.keywords:
            if any(mentions(i, {"t"}) for i in expression.indices):
                self.fail(31, "a member is chosen in one pair of brackets, a step in the next", expression.span, help="write h[i][t-1]")
            return None
        index = expression.indices[0]
        clocks = {"t", *self.instance.clocks} - set(self.env)
        if not mentions(index, clocks):
            return None
        delay = -self._offset(index, clocks)
        if abs(delay) > GREATEST_DELAY:
            self.fail(31, f"a delay of {abs(delay)} steps is more than {GREATEST_DELAY}", index.span)
        base = self.meaning(expression.value)
        if isinstance(base, Used):
            base = base.output()
        if delay == 0 and isinstance(base, (Stream, Value)):
            return self._value_of(base, expression.value)
        if not isinstance(base, Stream):
            what = "a parameter or constant, the same at every step" if isinstance(base, Value) and base.type.kind is Kind.STATIC else "no stream with a name"
            self.fail(31, f"{brief(expression.value.span.text)} is {what}", expression.span, help="give the expression a name of its own, and delay that" if isinstance(base, Value) else None)
        return base.at(delay)

    def _offset(self, index: syntax.Expression, clocks: set[str]) -> int:
        """k of an index `t + k`."""
        if isinstance(index, syntax.Name) and index.name in clocks:
            return 0
        if isinstance(index, syntax.Binary) and index.op in "+-":
            if mentions(index.left, clocks) and not mentions(index.right, clocks):
                k = self.integer(index.right)
                return self._offset(index.left, clocks) + (k if index.op == "+" else -k)
            if index.op == "+" and mentions(index.right, clocks) and not mentions(index.left, clocks):
                return self._offset(index.right, clocks) + self.integer(index.left)
        self.fail(31, f"{index.span.text} is not a step: write t, t-k or t+k", index.span)

    def _member(self, expression: syntax.Subscript) -> Key | None:
        """The key of a member, if the name is a family."""
        assert isinstance(expression.value, syntax.Name)
        name, inside = expression.value.name, self.instance
        tables: list[Mapping[Key, Any]] = [inside.streams, inside.statics, inside.shared, inside._states]
        if name in self.env or not any(k[0] == name and k[1] for table in tables for k in table):
            return None
        return name, tuple(self.integer(i) for i in expression.indices)

    def _of_family(self, key: Key, expression: syntax.Subscript) -> Any:
        inside = self.instance
        for table in (inside.streams, inside.shared):
            if key in table:
                return table[key]  # type: ignore[index]
        if key in inside.statics:
            return inside.static_value(key)
        members = [label(k) for k in [*inside.streams, *inside.statics, *inside.shared] if k[0] == key[0]]
        self.fail(30, f"there is no {label(key)}", expression.span, help=f"the members are {', '.join(members[:8])}{' ...' if len(members) > 8 else ''}")

    def _attribute(self, expression: syntax.Attribute) -> Any:
        """`fwd.c`: a stream inside a cell that is used."""
        path = dotted(expression.value, self)
        used = self._used(expression.value, path)
        if used is None:
            self.fail(52, f"{expression.value.span.text} is not a cell that is used here", expression.span)
        return self._inside(used, expression, (expression.name, ()))

    def _used(self, base: syntax.Expression, path: str) -> Used | None:
        if path not in self.instance.uses:
            head = base
            while isinstance(head, syntax.Attribute):
                head = head.value
            meaning = self.meaning(head)
            if isinstance(meaning, Stream):
                meaning.now()
        found = self.instance.uses.get(path)
        if found is None and isinstance(base, syntax.Attribute):
            outer = self._used(base.value, dotted(base.value, self))
            found = outer.instance.uses.get(base.name) if outer else None
        return found

    def _inside(self, used: Used, expression: syntax.Attribute, key: Key) -> Any:
        inside = used.instance
        if key in inside.streams:
            return inside.streams[key]
        if key in inside.statics:
            return inside.static_value(key)
        path = f"{expression.name}"
        if path in inside.uses:
            return inside.uses[path]
        near = nearest(expression.name, [label(k) for k in inside.streams])
        self.fail(52, f"{inside.cell.name} has no stream {expression.name}", expression.span, help=f"did you mean {near}?" if near else None)

    # ------------------------------------------------------------------------------------------------------- calls

    def _callee(self, expression: syntax.Expression) -> Any:
        """What is called; functions and cells go before streams of the same name."""
        if isinstance(expression, syntax.Name):
            found = self._find(expression.name)
            if isinstance(found, (Value, Stream, int, float)):
                outer = FUNCTIONS.get(expression.name)
                found = FnValue(self.instance.functions[expression.name], self.instance) if expression.name in self.instance.functions else outer or found
            if found is None:
                self._unknown(expression.name, expression.span)
            return found
        return self.meaning(expression)

    def _call(self, expression: syntax.Call, direct: bool, first: tuple[syntax.Keyword, ...] = ()) -> Any:
        if isinstance(expression.callee, syntax.Name) and expression.callee.name == "init":
            return self._init(expression)
        callee = self._callee(expression.callee)
        if isinstance(callee, (CellValue, Shared)):
            return use_cell(self, expression, callee, direct, first)
        if first:
            self.fail(43, "`from` hands first states to a cell", expression.span)
        if isinstance(callee, FnValue):
            return self._apply(callee, expression)
        if isinstance(callee, Function):
            from recurrency.language.arguments import call_function

            return call_function(self, callee, expression)
        what = expression.callee.span.text
        help = f"write {what} * (...) or {what} @ (...)" if isinstance(callee, (Value, Stream)) else None
        self.fail(29, f"{brief(what)} is not a function or a cell", expression.callee.span, help=help)

    def _from(self, expression: syntax.From, direct: bool) -> Any:
        if not isinstance(expression.call, syntax.Call):
            self.fail(43, "`from` stands after the use of a cell", expression.span)
        return self._call(expression.call, direct, expression.first)

    def _apply(self, callee: FnValue, expression: syntax.Call) -> Any:
        fn = callee.fn
        if expression.keywords or len(expression.arguments) != len(fn.parameters):
            self.fail(27, f"{fn.name} takes {len(fn.parameters)} values ({', '.join(fn.parameters)})", expression.span)
        if len(self.env.get("", ())) > 30:
            self.fail(40, f"{fn.name} calls itself without end", expression.span)
        values = [a if isinstance(a := self.meaning(e), (FnValue, Function, *NUMBERS)) else self._value_of(a, e) for e in expression.arguments]
        env = {**dict(zip(fn.parameters, values, strict=True)), "": (*self.env.get("", ()), fn.name)}
        return self.inner(env, callee.home or self.instance)._plain(fn.body)

    def _init(self, expression: syntax.Call) -> Value:
        """`init(c)`: the value of a state before the first step."""
        if len(expression.arguments) != 1:
            self.fail(27, "init takes the name of one state", expression.span)
        stream = self.meaning(expression.arguments[0])
        if not isinstance(stream, Stream) or stream.first is None:
            self.fail(43, f"{expression.arguments[0].span.text} is not a state", expression.span)
        if stream in self.work.starting:
            self.fail(24, f"the first value of {stream.name} needs itself", expression.span)
        return stream.slot(0)

    # ------------------------------------------------------------------------------------------------------- names

    def use_name(self, written: str, direct: bool) -> str:
        """What the parameters of a use are named after."""
        if direct:
            return self.target
        self.counts[written] = self.counts.get(written, 0) + 1
        number = f"_{self.counts[written]}" if self.counts[written] > 1 else ""
        return f"{self.target}.{written}{number}"

    @property
    def graph(self) -> Graph:
        """The graph that is built."""
        return self.work.graph


def compared(op: str, a: Value, b: Value) -> Value:
    """A comparison, as 1 or 0."""
    if op in (">", ">="):
        a, b, op = b, a, {">": "<", ">=": "<="}[op]
    if op == "!=":
        return 1.0 - a.apply("equal", b)
    return a.apply({"<": "less", "<=": "less_equal", "==": "equal"}[op], b)


def brief(text: str) -> str:
    """A piece of source in a message: on one line, not too long."""
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."


def mentions(expression: Any, names: set[str]) -> bool:
    """Whether an expression contains one of some names."""
    if isinstance(expression, syntax.Name):
        return expression.name in names
    if isinstance(expression, (syntax.Unary,)):
        return mentions(expression.operand, names)
    return isinstance(expression, syntax.Binary) and (mentions(expression.left, names) or mentions(expression.right, names))


def dotted(expression: syntax.Expression, evaluator: Evaluator) -> str:
    """The dotted name of a use: `enc[1]`, `y.Cell`."""
    if isinstance(expression, syntax.Name):
        return expression.name
    if isinstance(expression, syntax.Subscript) and isinstance(expression.value, syntax.Name):
        return label((expression.value.name, tuple(evaluator.integer(i) for i in expression.indices)))
    if isinstance(expression, syntax.Attribute):
        return f"{dotted(expression.value, evaluator)}.{expression.name}"
    return cast(str, expression.span.text)


__all__ = ["Evaluator", "Type", "Value"]
