"""Calls of the functions of the language: evaluate and check the arguments, then lower the call to operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    ACROSS_CLAUSES,
    AXIS_MISMATCH,
    CLOCK_MISMATCH,
    MALFORMED_DIMENSION,
    NO_FINITE_VALUE,
    NOT_STATIC,
    SHAPE_MISMATCH,
    SINGULAR_MATRIX,
    STREAM_NEEDED,
    SYMBOLS_AS_NUMBERS,
    WRONG_ARGUMENTS,
    Code,
    brief,
)
from recurrency.language.elaboration.constants import computed, varies
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.numbers import (
    Estimate,
    decided,
    fraction_in,
    is_number,
    names_of,
    spelt,
    tidy,
    whole,
)
from recurrency.language.elaboration.products import BRIDGES
from recurrency.language.elaboration.streams import Busy
from recurrency.language.elaboration.suggestions import of_keyword, of_number
from recurrency.language.vocabulary.matrix_functions import SingularError
from recurrency.language.vocabulary.table import (
    ELEMENTWISE,
    GRADIENTS,
    RANDOM,
    SAMPLES,
    TIME,
    Function,
    shown,
)

BY_ELEMENTS = (ELEMENTWISE, RANDOM, SAMPLES, GRADIENTS)
"""The groups of functions whose arguments have one shape, or are numbers."""
LITERALS: dict[type, str] = {
    syntax.Text: "a text in quotation marks",
    syntax.Shape: "a shape in square brackets, such as [M, D]",
}


def call_function(evaluator: Evaluator, function: Function, call: syntax.Call) -> Any:
    """The value of a call of one of the language's functions."""
    arguments = CallArguments(evaluator, function, call)
    try:
        result = function.lower(arguments)
    except OverflowError:
        if not arguments.static():
            raise  # the graph is full
        arguments.fail(NO_FINITE_VALUE, f"{arguments.text} has no finite value")
    except (ArithmeticError, ValueError):
        arguments.fail(NO_FINITE_VALUE, f"{arguments.text} has no finite value")
    part = fraction_in(result.type.shape) if isinstance(result, Value) else None
    if part is not None:  # as in slice(x, H / 2, H / 2 + 1 / 2): a fraction of a dimension is left
        title = f"{arguments.text} would have {spelt(part)} elements"
        arguments.fail(MALFORMED_DIMENSION, title, help="a dimension is a whole number")
    return result


class CallArguments:
    """See `recurrency.language.vocabulary.table.Arguments`."""

    def __init__(self, evaluator: Evaluator, function: Function, call: syntax.Call) -> None:
        self.evaluator, self.function, self.call = evaluator, function, call
        self.graph: Graph = evaluator.graph
        self.clock = evaluator.scope.clock
        self.collected = len(call.arguments) == 1 and isinstance(call.arguments[0], syntax.Comprehension)
        self.expressions: list[syntax.Expression] = list(call.arguments)
        self.keywords: dict[str, syntax.Keyword] = {k.name: k for k in call.keywords}
        self._count()
        try:
            self.meanings = self._terms() if self.collected else evaluator.all(self._meaning, call.arguments)
        except Busy as busy:
            busy.through = busy.through or (function.name if function.group == TIME else "")
            raise
        self._agree()

    @property
    def text(self) -> str:
        """The call as it is written."""
        return " ".join(self.call.span.text.split())

    def _meaning(self, expression: syntax.Expression) -> Any:
        """What an argument means; a text, and a shape, where the function takes one."""
        position = next(k for k, e in enumerate(self.call.arguments) if e is expression)
        for form, positions in ((syntax.Text, self.function.texts), (syntax.Shape, self.function.shapes)):
            if position in positions and isinstance(expression, form):
                return expression
            if position in positions:
                self.fail(
                    WRONG_ARGUMENTS, f"{brief(expression.span.text)} is not {LITERALS[form]}", self._usage, position
                )
        return self.evaluator.plain(expression)

    @property
    def _usage(self) -> str:
        return f"it is used as {self.function.signature}: {self.function.meaning}"

    def _terms(self) -> list[Any]:
        expression = self.call.arguments[0]
        assert isinstance(expression, syntax.Comprehension)
        if not self.function.comprehends:
            title = f"{self.function.name} takes no `for`"
            self.fail(WRONG_ARGUMENTS, title, help="only sum, mean, concat, max and min take `for`")
        terms = _terms(self.evaluator, expression.body, expression.clauses)
        self.expressions = [expression.body] * len(terms)
        if not terms and self.function.name == "sum":
            self.expressions = [expression]
            return [0]
        if not terms:
            self.fail(WRONG_ARGUMENTS, f"{self.function.name} has no terms: no index is left")
        return terms

    def _count(self) -> None:
        function, count = self.function, len(self.expressions)
        usage = self._usage
        for name, keyword in self.keywords.items():
            if name not in function.keywords:
                help = of_keyword(name, keyword.value.span.text, function) or usage
                title = f"{function.name} has no keyword {name}"
                raise self.evaluator.problem(WRONG_ARGUMENTS, title, keyword.span, help=help)
        if not self.collected and (count < function.fewest or (function.most is not None and count > function.most)):
            wanted = function.wants
            title = f"{function.name} takes {wanted} value{'s' * (wanted != '1')}, not {count}"
            extra = self.expressions[function.most :] if function.most is not None else []
            numbers = all(isinstance(e, syntax.Number | syntax.Unary) for e in extra)
            if "axis" in function.keywords and count and extra and numbers:
                usage += "; an axis is given by name, as in axis = 2"
            self.fail(WRONG_ARGUMENTS, title, help=usage)

    def _agree(self) -> None:
        """Arguments must have one clock; those of element-wise functions must have one shape."""
        name, values = self.function.name, [m for m in self.meanings if isinstance(m, Value)]
        clocks = {str(v.type.clock) for v in values if v.type.kind is Kind.STREAM}
        if len(clocks) > 1 and not self.function.bridges:
            title = f"{name} mixes streams over the clocks {' and '.join(sorted(clocks))}"
            self.fail(CLOCK_MISMATCH, title, help=BRIDGES)
        shapes = dict.fromkeys(shown(v.type) for v in values if v.type.shape)
        one_shape = self.function.group in BY_ELEMENTS or (self.collected and name != "concat")
        if one_shape and len(shapes) > 1:
            title = f"{name} takes values of one shape, not {' and '.join(shapes)}"
            notes = self.evaluator.origins(*dict.fromkeys(self.expressions))
            raise self.evaluator.problem(SHAPE_MISMATCH, title, self.call.span, notes=notes)

    def __len__(self) -> int:
        return len(self.meanings)

    def fail(self, code: Code, title: str, help: str | None = None, position: int | None = None) -> NoReturn:
        """Report a mistake at an argument, or at the call."""
        at_call = position is None or self.collected or position >= len(self.expressions)
        place = self.call if at_call or position is None else self.expressions[position]
        around = self.call.arguments if at_call else (place,)
        raise self.evaluator.problem(code, title, place.span, notes=self.evaluator.origins(*around), help=help)

    def static(self) -> bool:
        """Whether all arguments are numbers."""
        return all(is_number(m) for m in self.meanings)

    def fold(self, function: Callable[..., Any]) -> Any:
        """A function of all arguments, which are numbers; an estimate if they depend on symbolic dimensions."""
        names = names_of(*self.meanings)
        return Estimate.of(*self.meanings) if names else tidy(function(*self.meanings))

    def either(self, position: int) -> Value:
        """An argument as a value of any sort."""
        meaning = self.meanings[position]
        return meaning if isinstance(meaning, Value) else constant(self.graph, self.number(position))

    def value(self, position: int) -> Value:
        """An argument as a real value."""
        return self.evaluator.real(self.expressions[position], self.either(position))

    def symbol(self, position: int) -> Value:
        """An argument as a stream of symbols."""
        value = self.either(position)
        if value.type.index is None:
            title = f"{self.function.name} needs symbols (index[V]) here, not {shown(value.type)}"
            self.fail(SYMBOLS_AS_NUMBERS, title, position=position)
        return value

    def stream(self, position: int) -> Value:
        """An argument that has steps."""
        value = self.either(position)
        if value.type.kind is not Kind.STREAM:
            kind = "the same at every step" if value.type.kind is Kind.STATIC else "one value for each sequence"
            self.fail(STREAM_NEEDED, f"{self.function.name} needs a stream; this is {kind}", position=position)
        within = self.evaluator.within
        if word := within.clause(value.type.clock):
            title = f"{self.function.name} needs all steps, and {within.cell.name} is used with `{word}` here"
            self.fail(ACROSS_CLAUSES, title, position=position)
        return value

    def known(self, position: int) -> bool:
        """Whether an argument is a number."""
        return is_number(self.meanings[position])

    def number(self, position: int) -> float:
        """An argument as a number."""
        meaning = self.meanings[position]
        if not is_number(meaning):
            title = f"{self.function.name} needs a number here that is known when the spec is compiled"
            self.fail(NOT_STATIC, title, position=position, help=of_number(self.evaluator, self.expressions[position]))
        return self.evaluator.finite(meaning, self.expressions[position].span)

    def dimension(self, position: int) -> int | Poly:
        """An argument as a dimension."""
        return self.evaluator.dimension(self.expressions[position])

    def position(self, position: int) -> int | Poly:
        """An argument that counts elements: a dimension, or any whole number."""
        value = self.meanings[position]
        return value if isinstance(value, Poly) else self.integer(position)

    def integer(self, position: int) -> int:
        """An argument as a whole number."""
        self.number(position)
        value = decided(self.meanings[position])
        found = whole(value)
        if found is None:
            self.fail(NOT_STATIC, f"{spelt(value)} is not a whole number", position=position)
        return found

    def quoted(self, position: int) -> str:
        """An argument that is a text in quotation marks."""
        text: str = self.meanings[position].value
        return text

    def shape(self, position: int) -> tuple[int | Poly, ...]:
        """An argument that is a shape in square brackets."""
        return tuple([self.evaluator.dimension(d) for d in self.meanings[position].dimensions])

    def has(self, keyword: str) -> bool:
        """Whether the call has a keyword argument of this name."""
        return keyword in self.keywords

    def axis(self, rank: int) -> int | None:
        """The axis, from 0, that the keyword `axis` names among `rank` axes; None without the keyword."""
        keyword = self.keywords.get("axis")
        if keyword is None:
            return None
        axis = self.evaluator.integer(keyword.value)
        if not 1 <= axis <= rank:
            title = f"there is no axis {axis} here"
            help = f"axes count from 1: they are 1 to {rank}" if rank > 1 else "axes count from 1, and there is one"
            help = help if rank else "a number has no axes"
            raise self.evaluator.problem(AXIS_MISMATCH, title, keyword.value.span, help=help)
        return axis - 1

    def no_axis(self) -> None:
        """Refuse the keyword `axis`: several values are combined element by element."""
        if "axis" in self.keywords:
            title = f"{self.function.name} has an axis only where it takes one value"
            raise self.evaluator.problem(WRONG_ARGUMENTS, title, self.keywords["axis"].span, help=self._usage)

    def written(self, position: int) -> str:
        """An argument as the spec writes it, cut where it is long."""
        return brief(self.expressions[position].span.text)

    def word(self, keyword: str, default: str, allowed: tuple[str, ...]) -> str:
        """A keyword argument that is one of some words."""
        if keyword not in self.keywords:
            return default
        value = self.keywords[keyword].value
        if not isinstance(value, syntax.Name) or value.name not in allowed:
            title = f"{keyword} is {' or '.join(allowed)}, not {value.span.text}"
            raise self.evaluator.problem(WRONG_ARGUMENTS, title, value.span)
        return value.name

    def computed(self, shape: tuple[Dim, ...], function: Callable[..., Any], *values: Value) -> Value:
        """A function of the arrays of constants, in float64, computed now."""
        for position, value in enumerate(values):
            if reason := varies(self.graph, value, computed=True):
                title = f"{self.function.name} takes constants, but this {reason}"
                self.fail(NOT_STATIC, title, position=position)
        try:
            return computed(self.evaluator, self.text, self.call.span, shape, function, values)
        except SingularError:
            title = f"{brief(self.expressions[0].span.text)} is singular: it has no inverse"
            self.fail(SINGULAR_MATRIX, title, position=0)

    def site(self) -> int:
        """A number for a place of random draws, which depends only on the definition and the order of draws in it."""
        return self.evaluator.work.site(self._place(" draw"))

    def curvature(self, value: Value) -> None:
        """Register a value as a prediction of the model."""
        self.evaluator.work.curvatures[self._place(" prediction")] = value

    def ignoring(self, value: Value, target: Value) -> Value:
        """Register the symbols that a loss reads: it does not count where there is none."""
        self.evaluator.work.losses.targets[value.id] = target
        return value

    def _place(self, what: str) -> str:
        inside = self.evaluator
        return f"{inside.scope.prefix}{inside.target}{inside.numbered(what)}"


def _terms(evaluator: Evaluator, body: syntax.Expression, clauses: tuple[syntax.Clause, ...]) -> list[Any]:
    """The meaning of each term of a comprehension."""
    if not clauses:
        return [evaluator.plain(body)]
    clause, out = clauses[0], list[Any]()
    first, last = evaluator.bounds(clause.range)
    for i in range(first, last + 1):
        evaluator.work.count_definition(clause.span)
        inner = evaluator.inner({**evaluator.env, clause.index: i})
        if clause.condition is None or inner.truth(clause.condition):
            out += _terms(inner, body, clauses[1:])
    return out
