"""Which names and expressions of a cell are single numbers, by its declarations and equations alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from recurrency.language import syntax
from recurrency.language.signatures import FUNCTIONS, LOSSES

REDUCTIONS = frozenset({"dot", "norm", "mean", "var", "l1", "l2"})
"""Functions whose value is a number, whatever they take."""
COMPARED = frozenset({"sum", "max", "min"})
"""Functions whose value is a number where they take one vector."""


def flatten(body: Sequence[syntax.Statement]) -> list[syntax.Statement]:
    """All statements of a body, those of its loops included."""
    return [s for part in body for s in (flatten(part.body) if isinstance(part, syntax.For) else [part])]


@dataclass(frozen=True)
class Scalars:
    """The names of a cell that are known to be numbers; `cells` are those that it can use, by name."""

    names: frozenset[str]
    functions: Mapping[str, syntax.Fn] = field(default_factory=dict)
    cells: Mapping[str, syntax.Cell] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    """Functions that are being looked into."""

    def inside(self, *names: str) -> Scalars:
        """The same, where further names (loop indices, arguments that are numbers) are numbers."""
        return replace(self, names=self.names | set(names))

    def all(self, expressions: Sequence[syntax.Expression]) -> bool:
        return all(self.has(e) for e in expressions)

    def has(self, expression: syntax.Expression) -> bool:
        """Whether an expression is a number."""
        match expression:
            case syntax.Number():
                return True
            case syntax.Name(name=name):
                return name in self.names
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
            case syntax.From(call=call):
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
            numbers = {p for p, e in zip(fn.parameters, given, strict=False) if self.has(e)}
            others = set(fn.parameters) - numbers
            inner = replace(self, names=(self.names | numbers) - others, busy=self.busy | {name})
            return name not in self.busy and inner.has(fn.body)
        if name in self.cells:
            kind = self.cells[name].outputs[0].type
            return isinstance(kind, syntax.Shape) and not kind.dimensions
        if name in COMPARED and len(given) == 1 and not isinstance(given[0], syntax.Comprehension):
            return True
        known = FUNCTIONS.get(name)
        if name in REDUCTIONS or (known is not None and known.group == LOSSES):
            return not (given and isinstance(given[0], syntax.Comprehension)) or self.all(given)
        if name == "init":
            return self.all(given)
        vectors = {"concat", "identity", "diag", "outer", "onehot", "embed", "split", "slice", "attend", "window"}
        return known is not None and name not in vectors and bool(given) and self.all(given)


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
    indices = {s.index for part in cell.body for s in syntax.walk(part) if isinstance(s, syntax.For | syntax.Clause)}
    names = {name for name, scalar in declared.items() if scalar} | {d.name for d in cell.dimensions} | indices
    names -= {name for name, scalar in declared.items() if not scalar}
    found = Scalars(frozenset(names), {**(functions or {}), **own}, cells or {})
    equations = [s for s in statements if isinstance(s, syntax.Equation) and s.target.name not in declared]
    # The greatest set that is consistent: `s = 0.9 * s[t-1] + dot(a, b)` is a number although it needs itself.
    hopeful = {s.target.name for s in equations}
    while True:
        trial = found.inside(*hopeful)
        kept = {n for n in hopeful if all(trial.has(s.value) for s in equations if s.target.name == n)}
        if kept == hopeful:
            return trial
        hopeful = kept
