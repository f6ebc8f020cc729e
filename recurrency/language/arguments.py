"""Calls of the language's functions: arguments evaluated and counted, then lowered by the function's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from recurrency.graph.dimensions import Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.streams import NeedNumber
from recurrency.language.vocabulary import Function, shown

if TYPE_CHECKING:
    from recurrency.language.evaluate import Evaluator

NUMBERS = (int, float, Poly)


def call_function(evaluator: Evaluator, function: Function, call: syntax.Call) -> Any:
    """The value of a call of one of the language's functions."""
    arguments = CallArguments(evaluator, function, call)
    try:
        return function.lower(arguments)
    except (ArithmeticError, ValueError):
        arguments.fail(50, f"{' '.join(call.span.text.split())} has no finite value")
    except TypeError as error:
        arguments.fail(22, f"{function.name}: {error}")


class CallArguments:
    """See `recurrency.language.vocabulary.Arguments`."""

    def __init__(self, evaluator: Evaluator, function: Function, call: syntax.Call) -> None:
        self.evaluator, self.function, self.call = evaluator, function, call
        self.graph: Graph = evaluator.work.graph
        self.clock = evaluator.instance.clock
        self.collected = len(call.arguments) == 1 and isinstance(call.arguments[0], syntax.Comprehension)
        self.expressions: list[syntax.Expression] = list(call.arguments)
        self.keywords = {k.name: k for k in call.keywords}
        self.meanings = self._terms() if self.collected else [evaluator._plain(e) for e in call.arguments]
        self._count()
        self._agree()

    def _terms(self) -> list[Any]:
        expression = self.call.arguments[0]
        assert isinstance(expression, syntax.Comprehension)
        if not self.function.comprehends:
            self.fail(27, f"{self.function.name} takes no `for`", help="sum, mean, concat, max and min do")
        terms = [m for _, m in self.evaluator.terms(expression, self.evaluator.env, expression.clauses)]
        self.expressions = [expression.body] * len(terms)
        if not terms:
            self.fail(27, f"there is nothing to take the {self.function.name} of: the range is empty")
        return terms

    def _count(self) -> None:
        for name, keyword in self.keywords.items():
            if name not in self.function.keywords:
                self.evaluator.fail(27, f"{self.function.name} has no keyword {name}", keyword.span, help=f"it is used as {self.function.signature}")
        count, function = len(self.meanings), self.function
        if not self.collected and (count < function.fewest or function.most is not None and count > function.most):
            self.fail(27, f"{function.name} does not take {count} value{'s' * (count != 1)}", help=f"it is used as {function.signature}: {function.meaning}")

    def _agree(self) -> None:
        """Functions that work element by element take equal shapes and scalars; all take one clock."""
        values = [m for m in self.meanings if isinstance(m, Value)]
        clocks = {v.type.clock for v in values if v.type.kind is Kind.STREAM}
        if len(clocks) > 1 and self.function.name != "attend":
            self.fail(28, f"{self.function.name} mixes streams of the clocks {' and '.join(sorted(map(str, clocks)))}",
                      help="last, first, sums over time and attend lead from one clock to another")  # fmt: skip
        shapes = {v.type.shape for v in values if v.type.shape}
        both = self.function.group == "element by element" or self.collected and self.function.name != "concat" or self.function.name in ("zoneout",)
        if both and len(shapes) > 1:
            self.fail(22, f"{self.function.name} of different shapes: {' and '.join(sorted(shown(v.type) for v in values))}")

    def __len__(self) -> int:
        return len(self.meanings)

    def fail(self, number: int, title: str, help: str | None = None, position: int | None = None) -> NoReturn:
        """Report a mistake at an argument, or at the call."""
        span = self.call.span if position is None or self.collected else self.expressions[position].span
        self.evaluator.fail(number, title, span, help=help)

    def static(self) -> bool:
        """Whether all arguments are numbers."""
        return all(isinstance(m, NUMBERS) for m in self.meanings)

    def either(self, position: int) -> Value:
        """An argument as a value of any sort."""
        meaning = self.meanings[position]
        return meaning if isinstance(meaning, Value) else constant(self.graph, self.number(position))

    def value(self, position: int) -> Value:
        """An argument as a real value."""
        return self.evaluator._real(self.either(position), self.expressions[position])

    def symbol(self, position: int) -> Value:
        """An argument as a stream of symbols."""
        value = self.either(position)
        if value.type.index is None:
            self.fail(45, f"{self.function.name} needs symbols (index[V]) here, not {shown(value.type)}", position=position)
        return value

    def stream(self, position: int) -> Value:
        """An argument that has steps."""
        value = self.either(position)
        if value.type.kind is not Kind.STREAM:
            kind = "the same at every step" if value.type.kind is Kind.STATIC else "one value for each sequence"
            self.fail(54, f"{self.function.name} needs a stream; this is {kind}", position=position)
        return value

    def number(self, position: int) -> float:
        """An argument as a number."""
        meaning = self.meanings[position]
        if not isinstance(meaning, NUMBERS):
            self.fail(32, f"{self.function.name} needs a number here that is known when the spec is compiled", position=position)
        return self.evaluator._float(meaning, self.expressions[position].span)

    def dimension(self, position: int) -> int | Poly:
        """An argument as a dimension."""
        return self.evaluator.dimension(self.expressions[position])

    def integer(self, position: int) -> int:
        """An argument as a whole number."""
        meaning = self.meanings[position]
        if isinstance(meaning, Poly):
            raise NeedNumber(frozenset(n for names, _ in meaning.terms for n in names))
        value = self.number(position)
        if value != int(value):
            self.fail(32, f"{value:g} is not a whole number", position=position)
        return int(value)

    def word(self, keyword: str, default: str, allowed: tuple[str, ...]) -> str:
        """A keyword argument that is one of some words."""
        if keyword not in self.keywords:
            return default
        value = self.keywords[keyword].value
        if not isinstance(value, syntax.Name) or value.name not in allowed:
            self.evaluator.fail(27, f"{keyword} is {' or '.join(allowed)}, not {value.span.text}", value.span)
        return value.name

    def site(self) -> int:
        """A number for a place where random numbers are drawn."""
        return self.evaluator.work.site(f"{self.evaluator.instance.prefix}{self.evaluator.target}")

    def curvature(self, value: Value) -> None:
        """Remember what the model predicts."""
        if not self.evaluator.work.attempts:
            self.evaluator.work.curvatures.append(value)
