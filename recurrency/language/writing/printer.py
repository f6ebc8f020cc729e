"""Expressions of a cell in LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from recurrency.language import syntax
from recurrency.language.syntax import mentions_time
from recurrency.language.writing.clauses import clause
from recurrency.language.writing.notation import COMPARISONS, bracketed, keyword, number
from recurrency.language.writing.symbols import Symbols, names_in

OR, AND, COMPARE, SUM, BIG, PRODUCT, MATMUL, UNARY, POWER, ATOM = range(10)
"""The precedence of a piece of print; `BIG` is a sum sign with its terms."""

BINARY = {"or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "@": MATMUL, "/": ATOM, "**": POWER}
WHOLE_STREAM = {"reverse", "first", "last", "sum_over_time", "mean_over_time"}


@dataclass(frozen=True)
class Printer:
    """Prints expressions: `time` is the index of streams that do not say another one, "" for none."""

    scope: Symbols
    time: str = "t"
    small: bool = False
    """Whether this is an index, in which signs have no space around them."""

    @property
    def index(self) -> Printer:
        """The printer of indices: names in them have no time."""
        return replace(self, time="", small=True)

    def text(self, expression: syntax.Expression, least: int = OR) -> str:
        """The print of an expression, in brackets if its precedence is below `least`."""
        printed, strength = self.printed(expression)
        return bracketed(printed) if strength < least else printed

    def printed(self, expression: syntax.Expression) -> tuple[str, int]:
        """The print of an expression and its precedence."""
        match expression:
            case syntax.Number(value=value):
                printed = number(value)
                return printed, PRODUCT if "10^" in printed else ATOM
            case syntax.Name(name=name):
                return self.name(name), ATOM
            case syntax.Unary(op=op, operand=operand):
                return ("-" if op == "-" else "\\neg ") + self.text(operand, UNARY), UNARY
            case syntax.Binary():
                return self.binary(expression)
            case syntax.Conditional():
                return self.cases(expression), ATOM
            case syntax.Call():
                return self.call(expression)
            case syntax.Comprehension(body=body):
                return self.text(body), ATOM
            case syntax.Formula(indices=indices, body=body):
                inner = replace(self, scope=self.scope.inside(*indices))
                return f"\\left[{inner.text(body)}\\right]_{{{inner.together(indices)}}}", ATOM
            case syntax.Initialiser():
                return " \\cdot ".join(map(self.draw, (expression, *expression.factors))), PRODUCT
            case syntax.From() | syntax.Changed() | syntax.With():
                return clause(self, expression, ATOM), OR
            case _:
                return self.reference(expression), ATOM

    # ------------------------------------------------------------------------------------------------------- names

    def name(self, name: str, members: str = "") -> str:
        """A name with the time, if it is a stream."""
        return self.scope.naming.symbol(name, "" if name in self.scope.bare or name == "t" else self.time, members)

    def target(self, target: syntax.Target) -> str:
        return self.name(target.name, self.members(target.indices))

    def members(self, indices: Sequence[syntax.Expression | syntax.Range]) -> str:
        return ",".join(self.limits(i) if isinstance(i, syntax.Range) else self.index.text(i) for i in indices)

    def together(self, indices: Sequence[str]) -> str:
        """The indices of an element: ij, or i', j' where one has several letters."""
        printed = [self.scope.naming.symbol(index) for index in indices]
        return ("" if all(len(index) == 1 for index in printed) else ", ").join(printed)

    def draw(self, draw: syntax.Initialiser) -> str:
        """One initialiser with its arguments."""
        given = [*map(self.text, draw.arguments), *self.keywords(draw.keywords)]
        return self.scope.naming.operator(draw.name) + (bracketed(", ".join(given)) if given else "")

    def limits(self, limits: syntax.Range) -> str:
        return f"{self.index.text(limits.first)}, \\ldots, {self.index.text(limits.last)}"

    def reference(self, expression: syntax.Expression) -> str:
        """A step of a stream, a member of a family, a stream inside a cell, or a cell with its dimensions."""
        match expression:
            case syntax.Attribute(value=value, name=name):
                return f"{replace(self, time='').text(value, ATOM)}.{self.scope.naming.symbol(name, self.time)}"
            case syntax.Subscript(value=value, indices=[index]) if mentions_time(index):
                time = self.index.text(index)
                if isinstance(value, syntax.Name | syntax.Subscript | syntax.Attribute):
                    return replace(self, time=time).text(value)
                return f"{bracketed(replace(self, time='').text(value))}_{{{time}}}"
            case syntax.Subscript(value=syntax.Name(name=name), indices=indices):
                if name in self.scope.known and not expression.keywords:
                    return self.name(name, self.members(indices))
                given = ", ".join([*([self.members(indices)] if indices else []), *self.keywords(expression.keywords)])
                return f"{self.scope.naming.operator(name)}_{{{given}}}"
            case syntax.Subscript(value=value, indices=indices):
                return f"{bracketed(self.text(value))}^{{({self.members(indices)})}}"
        raise TypeError(f"no print for {type(expression).__name__}")

    def keywords(self, keywords: Sequence[syntax.Keyword]) -> list[str]:
        return [f"{keyword(k.name)} = {self.given(k.value)}" for k in keywords]

    def given(self, value: syntax.Expression) -> str:
        """The value of a keyword: a stream, a function or a cell."""
        known = isinstance(value, syntax.Name) and value.name in self.scope.known
        return self.text(value) if known else self.callee(value)

    # --------------------------------------------------------------------------------------------------- operators

    def binary(self, expression: syntax.Binary) -> tuple[str, int]:
        op, left, right = expression.op, expression.left, expression.right
        if op == "/":
            return f"\\frac{{{self.text(left)}}}{{{self.text(right)}}}", ATOM
        if op == "**":
            return self.power(left, self.text(right)), POWER
        if op in COMPARISONS:
            strength = BINARY.get(op, COMPARE)
            return f"{self.text(left, strength + 1)} {COMPARISONS[op]} {self.text(right, strength + 1)}", strength
        strength = BINARY[op]
        sign = {"+": " + ", "-": " - ", "*": self.times(left, right), "@": " "}[op]
        sign = sign.strip() if self.small and op in "+-" else sign
        tighter = strength + 1 if op in "+-" else strength
        begins = right.left if isinstance(right, syntax.Binary) and op in "*@" else right
        behind = self.text(right, max(tighter, BIG) if not isinstance(begins, syntax.Unary) else POWER)
        return f"{self.text(left, strength)}{sign}{behind}", strength

    def times(self, left: syntax.Expression, right: syntax.Expression) -> str:
        """The sign of a product: none beside a scalar, a dot before a number."""
        if isinstance(right, syntax.Number):
            return " \\cdot "
        return " \\, " if self.scope.scalars.has(left) or self.scope.scalars.has(right) else " \\odot "

    def power(self, base: syntax.Expression, exponent: str) -> str:
        printed, strength = self.printed(base)
        plain = strength == ATOM and "^" not in printed and not printed.startswith("\\frac")
        return f"{printed if plain else bracketed(printed)}^{{{exponent}}}"

    def cases(self, expression: syntax.Conditional) -> str:
        """A condition as one row for each case."""
        rows = []
        rest: syntax.Expression = expression
        while isinstance(rest, syntax.Conditional):
            rows.append(f"{self.text(rest.then)} & \\text{{if }} {self.text(rest.condition)}")
            rest = rest.otherwise
        rows.append(f"{self.text(rest)} & \\text{{otherwise}}")
        return BEGIN + " \\\\ ".join(rows) + END

    # ------------------------------------------------------------------------------------------------------- calls

    def call(self, call: syntax.Call) -> tuple[str, int]:
        name = call.callee.name if isinstance(call.callee, syntax.Name) else ""
        if len(call.arguments) == 1 and isinstance(call.arguments[0], syntax.Comprehension):
            return self.over(name, call.arguments[0])
        plan = SPECIAL.get((name, len(call.arguments)))
        if plan is not None and not call.keywords:
            return plan(self, *call.arguments)
        inside = replace(self, time="") if name in WHOLE_STREAM else self
        below = [self.literal(a) for a in call.arguments if isinstance(a, syntax.Text | syntax.Shape)]
        values = [a for a in call.arguments if not isinstance(a, syntax.Text | syntax.Shape)]
        given = [*(inside.text(a) for a in values), *self.keywords(call.keywords)]
        index = f"_{{{below[0]}}}" if below else ""
        return self.callee(call.callee) + index + bracketed(", ".join(given)), ATOM

    def literal(self, argument: syntax.Text | syntax.Shape) -> str:
        """The index of a function that takes a text, such as `mvk,mk -> mv`, or a shape."""
        if isinstance(argument, syntax.Text):
            return ",\\,".join(argument.value.replace(" ", "").replace("->", " \\to ").split(","))
        return " \\times ".join(self.index.text(d, PRODUCT) for d in argument.dimensions) or "1"

    def callee(self, expression: syntax.Expression) -> str:
        """A function or a cell; anything else as an expression."""
        return (
            self.scope.naming.operator(expression.name)
            if isinstance(expression, syntax.Name)
            else self.text(expression)
        )

    def over(self, name: str, comprehension: syntax.Comprehension) -> tuple[str, int]:
        """A sum, or another function, over the members of a range."""
        inner = replace(self, scope=self.scope.inside(*(c.index for c in comprehension.clauses)))
        signs = "".join(inner.limit(name, clause) for clause in comprehension.clauses)
        if name == "sum":
            return f"{signs} {inner.text(comprehension.body, BIG)}", BIG
        if name == "concat":
            return f"\\left[{inner.text(comprehension.body)}\\right]{signs}", ATOM
        return f"{signs} {bracketed(inner.text(comprehension.body))}", ATOM

    def limit(self, name: str, clause: syntax.Clause) -> str:
        """The sign of `name` with its limits: `i = 1` below and `L` above, or a condition below."""
        index, first, last = self.name(clause.index), *map(self.index.text, (clause.range.first, clause.range.last))
        sign = {"sum": "\\sum", "concat": ""}.get(name, self.scope.naming.operator(name))
        if clause.condition is None:
            return f"{sign}_{{{index}={first}}}^{{{last}}}"
        return f"{sign}_{{{first} \\leq {index} \\leq {last},\\; {replace(self, time='').text(clause.condition)}}}"


BEGIN, END = "\\begin{cases} ", " \\end{cases}"
Plan: TypeAlias = Callable[..., tuple[str, int]]
"""Prints a call of one function: the print and its precedence."""


def where(p: Printer, *given: syntax.Expression) -> tuple[str, int]:
    """One row for each case; a choice among the rest adds its rows."""
    condition, then, other = given
    rest = p.text(other)
    chooses = isinstance(other, syntax.Call) and isinstance(other.callee, syntax.Name) and other.callee.name == "where"
    rest = rest.removeprefix(BEGIN).removesuffix(END) if chooses else f"{rest} & \\text{{otherwise}}"
    return f"{BEGIN}{p.text(then)} & \\text{{if }} {p.text(condition)} \\\\ {rest}{END}", ATOM


def transposed(p: Printer, x: syntax.Expression) -> str:
    return p.power(x, "\\top")


def stacked(p: Printer, *parts: syntax.Expression) -> tuple[str, int]:
    inside = ";\\, ".join(p.text(part) for part in parts)
    return f"\\left[{inside}\\right]", ATOM


SPECIAL: dict[tuple[str, int], Plan] = {
    ("sqrt", 1): lambda p, x: (f"\\sqrt{{{p.text(x)}}}", ATOM),
    ("abs", 1): lambda p, x: (f"\\left|{p.text(x)}\\right|", ATOM),
    ("norm", 1): lambda p, x: (f"\\left\\|{p.text(x)}\\right\\|", ATOM),
    ("square", 1): lambda p, x: (p.power(x, "2"), POWER),
    ("transpose", 1): lambda p, x: (transposed(p, x), POWER),
    ("outer", 2): lambda p, a, b: (f"{p.text(a, MATMUL)} \\, {transposed(p, b)}", MATMUL),
    ("dot", 2): lambda p, a, b: (f"{transposed(p, a)} {p.text(b, MATMUL)}", MATMUL),
    ("embed", 2): lambda p, e, w: (f"{transposed(p, e)} \\operatorname{{onehot}}{bracketed(p.text(w))}", MATMUL),
    ("expm", 1): lambda p, a: (f"e^{{{p.text(a)}}}", POWER),
    ("inverse", 1): lambda p, a: (p.power(a, "-1"), POWER),
    ("solve", 2): lambda p, a, b: (f"{p.power(a, '-1')} {p.text(b, MATMUL)}", MATMUL),
    ("kron", 2): lambda p, a, b: (f"{p.text(a, POWER)} \\otimes {p.text(b, POWER)}", MATMUL),
    ("identity", 1): lambda p, x: (f"I_{{{p.text(x)}}}" if names_in(x) <= p.scope.bare else p.text(x, ATOM), ATOM),
    ("floor", 1): lambda p, x: (f"\\left\\lfloor {p.text(x)} \\right\\rfloor", ATOM),
    ("ceil", 1): lambda p, x: (f"\\left\\lceil {p.text(x)} \\right\\rceil", ATOM),
    ("mod", 2): lambda p, a, b: (f"{p.text(a, MATMUL)} \\; \\mathrm{{mod}} \\; {p.text(b, MATMUL)}", PRODUCT),
    ("init", 1): lambda p, x: (replace(p, time="0").text(x), ATOM),
    ("concat", 2): stacked,
    ("concat", 3): stacked,
    ("concat", 4): stacked,
    ("where", 3): where,
}
