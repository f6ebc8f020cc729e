"""Which names and expressions of a cell are single numbers, by its declarations and equations alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from recurrency.language import syntax
from recurrency.language.vocabulary.signatures import FUNCTIONS, LOSSES, NUMBERS

REDUCTIONS = frozenset({"dot", "norm", "mean", "var", "l1", "l2", "logsumexp"})
"""Functions whose value is a number, whatever they take."""
USES = syntax.Call | syntax.From | syntax.Changed | syntax.With
"""What the use of a cell may be."""
COMPARED = frozenset({"sum", "max", "min"})
"""Functions whose value is a number where they take one vector."""


DEEPEST = 20
"""How far functions that call functions are followed: deeper ones do not count as numbers."""


def flatten(body: Sequence[syntax.Statement]) -> list[syntax.Statement]:
    """All statements of a body, those of its loops included."""
    return [s for part in body for s in (flatten(part.body) if isinstance(part, syntax.For) else [part])]


@dataclass(frozen=True)
class Scalars:
    """The names of a cell that are known to be numbers; `cells` are those that it can use, by name."""

    names: Set[str]
    functions: Mapping[str, syntax.Fn] = field(default_factory=dict)
    cells: Mapping[str, syntax.Cell] = field(default_factory=dict)
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The numbers inside each named use of a cell."""
    known: dict[tuple[str, frozenset[str]], bool] = field(default_factory=dict, compare=False)
    """Whether a function gives a number, by name and the parameters that are numbers."""
    local: frozenset[str] = frozenset()
    """Indices and arguments that are numbers, besides the names of the cell."""
    shadowed: frozenset[str] = frozenset()
    """Arguments that are not."""
    depth: int = 0

    def inside(self, *names: str) -> Scalars:
        """The same, where loop indices are numbers."""
        return replace(self, local=self.local | set(names))

    def all(self, expressions: Sequence[syntax.Expression]) -> bool:
        return all(self.has(e) for e in expressions)

    def has(self, expression: syntax.Expression) -> bool:
        """Whether an expression is a number."""
        match expression:
            case syntax.Number():
                return True
            case syntax.Name(name=name):
                return name in self.local or (name in self.names and name not in self.shadowed)
            case syntax.Unary(operand=operand):
                return self.has(operand)
            case syntax.Binary(op=op, left=left, right=right):
                return op in {"and", "or"} or (op != "@" and self.has(left) and self.has(right))
            case syntax.Conditional(then=then, otherwise=otherwise):
                return self.has(then) and self.has(otherwise)
            case syntax.Comprehension(body=body, clauses=clauses):
                return self.inside(*(c.index for c in clauses)).has(body)
            case syntax.Subscript(value=value):
                return self.has(value)
            case syntax.Attribute(value=syntax.Name(name=use), name=name):
                return name in self.uses.get(use, ())
            case syntax.From(call=call) | syntax.Changed(use=call) | syntax.With(use=call):
                return self.has(call)
            case syntax.Call():
                return self._call(expression)
        return False

    def _call(self, call: syntax.Call) -> bool:
        callee, given = call.callee, call.arguments
        while isinstance(callee, syntax.Subscript):
            callee = callee.value
        if not isinstance(callee, syntax.Name):
            return False
        name = callee.name
        fn = self.functions.get(name)
        if fn is not None:
            numbers = frozenset(p for p, e in zip(fn.parameters, given, strict=False) if self.has(e))
            if (name, numbers) not in self.known and self.depth < DEEPEST:
                others = frozenset(fn.parameters) - numbers
                inner = replace(self, local=numbers, shadowed=others, depth=self.depth + 1)
                self.known[name, numbers] = False  # in case it calls itself
                self.known[name, numbers] = inner.has(fn.body)
            return self.known.get((name, numbers), False)
        if name in self.cells:
            kind = self.cells[name].outputs[0].type
            return isinstance(kind, syntax.Shape) and not kind.dimensions
        if name == "einsum":
            return bool(given) and isinstance(given[0], syntax.Text) and given[0].value.strip().endswith("->")
        if name in COMPARED | REDUCTIONS and any(k.name == "axis" for k in call.keywords):
            return False
        if name in COMPARED and len(given) == 1 and not isinstance(given[0], syntax.Comprehension):
            return True
        known = FUNCTIONS.get(name)
        if name in REDUCTIONS or (known is not None and known.group == LOSSES):
            return not (given and isinstance(given[0], syntax.Comprehension)) or self.all(given)
        if name == "init":
            return self.all(given)
        vectors = {"concat", "identity", "diag", "outer", "onehot", "embed", "split", "slice", "attend", "window"}
        vectors |= {"reshape", "repeat"}
        return known is not None and name not in vectors and bool(given) and self.all(given)


def _callee(value: syntax.Expression) -> str:
    """The cell that the whole of an expression uses, or that it is an instance of."""
    while isinstance(value, USES | syntax.Subscript):
        if isinstance(value, syntax.Subscript) and any(syntax.mentions_time(i) for i in value.indices):
            return ""
        match value:
            case syntax.Call(callee=inner) | syntax.From(call=inner) | syntax.Subscript(value=inner):
                value = inner
            case syntax.Changed(use=inner) | syntax.With(use=inner):
                value = inner
    return value.name if isinstance(value, syntax.Name) else ""


def _declared_numbers(cell: syntax.Cell) -> frozenset[str]:
    """The streams and parameters of a cell that are numbers, by its own text."""
    return frozenset(scalars_of(cell).names - {d.name for d in cell.dimensions})


def scalars_of(
    cell: syntax.Cell, functions: Mapping[str, syntax.Fn] | None = None, cells: Mapping[str, syntax.Cell] | None = None
) -> Scalars:
    """The numbers of a cell: what is declared as `[]`, dimensions, indices, and what is computed from these."""
    statements = flatten(cell.body)
    own = {s.name: s for s in statements if isinstance(s, syntax.Fn)}
    declared: dict[str, bool] = {}
    for s in statements:
        if isinstance(s, syntax.Param | syntax.State | syntax.Const):
            declared.update({t.name: not s.shape.dimensions for t in s.targets})
    for port in (*cell.inputs, *cell.outputs):
        declared[port.name] = isinstance(port.type, syntax.Shape) and not port.type.dimensions
    indices = syntax.indices(cell.body)
    names = {name for name, scalar in declared.items() if scalar} | {d.name for d in cell.dimensions} | indices
    names -= {name for name, scalar in declared.items() if not scalar}
    equations = [s for s in statements if isinstance(s, syntax.Equation)]
    names |= set(NUMBERS) - set(declared) - {s.target.name for s in equations}
    cells = dict(cells or {})
    defaults = {d.name: cells[name] for d in cell.dimensions if d.default and (name := _callee(d.default)) in cells}
    cells |= {name: inner for name, inner in defaults.items() if name not in cells}
    instances = {s.target.name: cells[name] for s in equations if (name := _callee(s.value)) in cells}
    uncalled = {s.target.name for s in equations if not isinstance(s.value, USES)}
    cells |= {name: inner for name, inner in instances.items() if name in uncalled}
    used = {s.target.name: cells[name] for s in equations if (name := _callee(s.value)) in cells}
    inside = {id(inner): _declared_numbers(inner) for inner in {id(c): c for c in used.values()}.values()}
    uses = {name: inside[id(inner)] for name, inner in used.items()}
    found = Scalars(frozenset(names), {**(functions or {}), **own}, cells, uses)
    equations = [s for s in equations if s.target.name not in declared]
    return replace(found, names=found.names | _consistent(found, equations), known={})


def _consistent(found: Scalars, equations: Sequence[syntax.Equation]) -> set[str]:
    """The most names that can be numbers together: `s = 0.9 * s[t-1] + dot(a, b)` is one although it needs itself."""
    hopeful = {s.target.name for s in equations}
    readers: dict[str, list[syntax.Equation]] = {}
    for s in equations:
        for name in {part.name for part in syntax.walk(s.value) if isinstance(part, syntax.Name)} & hopeful:
            readers.setdefault(name, []).append(s)
    names = set(found.names) | hopeful
    trial, waiting = replace(found, names=names), list(equations)
    while waiting:
        s = waiting.pop()
        if s.target.name in hopeful and not trial.has(s.value):
            hopeful.discard(s.target.name)
            names.discard(s.target.name)
            trial.known.clear()
            waiting += readers.get(s.target.name, [])
    return hopeful
