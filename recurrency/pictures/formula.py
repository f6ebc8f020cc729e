"""Expressions as the mathematics of a label: LaTeX in which a line may be broken at marked places."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace

from recurrency.language import syntax
from recurrency.language.syntax import Expression
from recurrency.pictures.static import Env, numbers_of, resolve
from recurrency.pictures.unroll import Key, Reference, reference

BREAK = "\x1f"
"""Stands where a long formula may go on in the next line; never inside braces."""
COMMA = f",{BREAK}"
SEMICOLON = f";{BREAK}"

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split()
)
LEVELS = {"or": 1, "and": 2, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "@": 7}
SIGNS = {
    "or": r"\mathrm{\;or\;}",
    "and": r"\mathrm{\;and\;}",
    "==": "=",
    "!=": r"\ne ",
    "<": "<",
    "<=": r"\le ",
    ">": ">",
    ">=": r"\ge ",
    "+": BREAK + "{}+",
    "-": BREAK + "{}-",
    "*": r"\,\odot\,",
    "/": r"\,/\,",
    "@": r"\,",
}
POWER, ATOM = 8, 9
FUNCTIONS: dict[str, str] = {
    "sigmoid": r"\sigma({0})",
    "tanh": r"\tanh({0})",
    "exp": r"\exp({0})",
    "log": r"\log({0})",
    "sqrt": r"\sqrt{{{0}}}",
    "abs": r"|{0}|",
    "transpose": r"{0}^{{\top}}",
    "square": r"{0}^{{2}}",
    "max": r"\max({0})",
    "min": r"\min({0})",
}
"""Functions that mathematics writes in a way of its own; the others are their name and their arguments."""
TIGHT = frozenset({"transpose", "square"})
"""Those whose argument needs brackets unless it is a name."""


def name_latex(name: str, members: str = "", step: str = "") -> str:
    """`W_hh` with the member of its family above and its other subscripts and the step below."""
    word, _, rest = name.partition("_")
    stem = word.rstrip("0123456789") or word
    below = [part for part in (word[len(stem) :], *rest.split("_")) if part]
    subscript = ",".join([*(_word(part) for part in below), *([step] if step else [])])
    lower = f"_{{{subscript}}}" if subscript else ""
    upper = f"^{{{members}}}" if members else ""
    return _word(stem) + lower + upper


def _word(word: str) -> str:
    if word in GREEK:
        return f"\\{word} "
    return word if len(word) == 1 or word.isdigit() else f"\\mathit{{{word}}}"


@dataclass(frozen=True)
class Formula:
    """Prints expressions of one equation.

    `env` holds the numbers of indices and dimensions, `dimensions` which of its names stay letters, `stands_for` a stream's other
    name where an equation only renames it, `bound` what the functions and cells of the header are.
    """

    env: Env
    dimensions: Container[str] = ()
    stands_for: Callable[[Key], Key] = lambda key: key
    bound: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, expression: Expression, level: int = 0) -> str:
        """The LaTeX of an expression, in brackets if it binds less than `level`."""
        text, own = self._print(resolve(expression, self.env))
        return text if own >= level else f"({text})"

    def _print(self, expression: Expression) -> tuple[str, int]:
        named = reference(expression)
        if named is not None:
            return self._reference(named), ATOM
        match expression:
            case syntax.Number(value=value):
                return f"{value:g}" if isinstance(value, float) else str(value), ATOM
            case syntax.Unary(op="-", operand=operand):
                return "{-}" + self(operand, LEVELS["@"]), LEVELS["+"]
            case syntax.Unary(operand=operand):
                return r"\mathrm{not}\;" + self(operand, 3), 3
            case syntax.Binary(op="**", left=left, right=right):
                return f"{self(left, ATOM)}^{{{_solid(self(right))}}}", POWER
            case syntax.Binary(op=op, left=left, right=right):
                return self._binary(op, left, right)
            case syntax.Call(callee=callee, arguments=arguments):
                return self._call(callee, arguments, expression.keywords)
            case syntax.From(call=call):
                return self._print(call)
            case syntax.Attribute(value=value, name=name):
                return f"{self(value, ATOM)}.{name_latex(name)}", ATOM
            case syntax.Subscript(value=value, indices=(step,)):
                return f"{self(value, ATOM)}_{{{_solid(self(step))}}}", ATOM
            case syntax.Conditional(then=then, condition=condition, otherwise=otherwise):
                words = [self(then), r"\;\mathrm{if}\;", self(condition), r"\;\mathrm{else}\;", self(otherwise)]
                return "".join(words), 0
        return r"\ldots", ATOM

    def _reference(self, named: Reference) -> str:
        key = named.key(self.env)
        if named == Reference(named.name) and named.name in self.env and named.name not in self.dimensions:
            return str(self.env[named.name])
        if key is None:
            name, members = named.name, ",".join(_solid(self(i)) for i in named.indices)
        else:
            name, numbers = self.stands_for(key)
            members = ",".join(map(str, numbers))
        cell, lifted, _ = name.partition("#")
        if lifted or cell in self.bound:
            return r"\mathrm{" + self.bound.get(cell, cell) + "}"
        return name_latex(name, members, _step(named.delay(self.env)) if named.step is not None else "")

    def _binary(self, op: str, left: Expression, right: Expression) -> tuple[str, int]:
        level = LEVELS[op]
        a, b = self(left, level), self(right, level + (op in "-/"))
        numeric = isinstance(left, syntax.Number)
        sign = r"\," if op == "*" and numeric else SIGNS[op]
        return a + sign + b, level

    def _call(
        self, callee: Expression, arguments: tuple[Expression, ...], keywords: tuple[syntax.Keyword, ...]
    ) -> tuple[str, int]:
        name = self.bound.get(callee.name, callee.name) if isinstance(callee, syntax.Name) else ""
        if len(arguments) == 1 and isinstance(arguments[0], syntax.Comprehension):
            return self._comprehension(name, arguments[0])
        if name == "dot" and len(arguments) == 2:
            return rf"{self(arguments[0], LEVELS['@'])}\cdot {self(arguments[1], LEVELS['@'])}", LEVELS["*"]
        if name == "outer" and len(arguments) == 2:
            return rf"{self(arguments[0], LEVELS['@'])}\,{self(arguments[1], ATOM)}^{{\top}}", LEVELS["@"]
        if name in FUNCTIONS:
            inside = (
                self(arguments[0], ATOM) if name in TIGHT else COMMA.join(self(a) for a in arguments)
            )
            return FUNCTIONS[name].format(_solid(inside) if name in TIGHT or name == "sqrt" else inside), ATOM
        inside = [*(self(a) for a in arguments), *(f"{name_latex(k.name)}={self(k.value)}" for k in keywords)]
        return f"{self._callee(callee)}({COMMA.join(inside)})", ATOM

    def _callee(self, callee: Expression) -> str:
        match callee:
            case syntax.Name(name=name):
                return r"\mathrm{" + self.bound.get(name, name).replace("_", r"\_") + "}"
            case syntax.Subscript(value=value, indices=indices, keywords=keywords):
                inside = [*(self(i) for i in indices), *(f"{name_latex(k.name)}={self(k.value)}" for k in keywords)]
                return f"{self._callee(value)}[{','.join(inside)}]"
        return self(callee, ATOM)

    def _comprehension(self, name: str, comprehension: syntax.Comprehension) -> tuple[str, int]:
        clause = comprehension.clauses[0]
        if name == "concat" and len(comprehension.clauses) == 1 and clause.condition is None:
            return self._list(comprehension.body, clause), ATOM
        sign = {"sum": r"\sum", "max": r"\max", "min": r"\min"}.get(name, r"\mathrm{" + name + "}")
        index, first = clause.index, _solid(self(clause.range.first))
        limits = f"_{{{index}={first}}}^{{{_solid(self(clause.range.last))}}}"
        return rf"\textstyle{sign}{limits}\,{self(comprehension.body, LEVELS['*'])}", LEVELS["*"]

    def _list(self, body: Expression, clause: syntax.Clause) -> str:
        """Parts that are strung together: the first, the second, and so on to the last."""
        numbers = list(numbers_of(clause.range, self.env))
        shown = numbers if len(numbers) <= 3 else [numbers[0], numbers[1], numbers[-1]]
        parts = [replace(self, env={**self.env, clause.index: n})(body) for n in shown]
        if len(shown) < len(numbers):
            parts.insert(2, r"\ldots")
        return f"[{SEMICOLON.join(parts)}]"


def _step(delay: int) -> str:
    return "t" if delay == 0 else f"t{-delay:+d}"


def _solid(text: str) -> str:
    """A text that goes between braces, where no line may be broken."""
    return text.replace(BREAK, "")
