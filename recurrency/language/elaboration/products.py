"""Binary operators on two values: clocks and shapes must agree."""

from __future__ import annotations

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import CLOCK_MISMATCH, PRODUCT_MISMATCH, SHAPE_MISMATCH, brief
from recurrency.language.elaboration.definitions import label
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.numbers import ARITHMETIC
from recurrency.language.elaboration.suggestions import of_batch
from recurrency.language.vocabulary.table import shown

PRODUCTS = {(2, 1): "ij,j->i", (2, 2): "ij,jk->ik", (1, 2): "i,ij->j"}
"""`A @ b` by the number of dimensions of both."""
BRIDGES = "last, first, sums over time, attend and window connect clocks"


def combined(evaluator: Evaluator, expression: syntax.Binary, a: Value, b: Value) -> Value:
    """`a op b`."""
    _one_clock(evaluator, expression, a, b)
    if expression.op == "@":
        return _product(evaluator, expression, a, b)
    _one_shape(evaluator, expression, a, b)
    if expression.op in ARITHMETIC:
        return a.apply(ARITHMETIC[expression.op][0], b)
    return _compared(expression.op, a, b)


def _compared(op: str, a: Value, b: Value) -> Value:
    """A comparison, as 1 or 0."""
    if op in (">", ">="):
        a, b, op = b, a, {">": "<", ">=": "<="}[op]
    if op == "!=":
        return 1.0 - a.apply("equal", b)
    return a.apply({"<": "less", "<=": "less_equal", "==": "equal"}[op], b)


def _one_clock(evaluator: Evaluator, expression: syntax.Binary, a: Value, b: Value) -> None:
    clocks = [v.type.clock for v in (a, b) if v.type.kind is Kind.STREAM]
    if len(set(clocks)) > 1:
        left, right = brief(expression.left.span.text), brief(expression.right.span.text)
        title = f"{left} runs over the clock {clocks[0]}, {right} over {clocks[1]}"
        notes = evaluator.origins(expression.left, expression.right)
        raise evaluator.problem(
            CLOCK_MISMATCH, title, expression.span, label="clocks do not mix", notes=notes, help=BRIDGES
        )


def _one_shape(evaluator: Evaluator, expression: syntax.Binary, a: Value, b: Value) -> None:
    one, two = a.type.shape, b.type.shape
    if one and two and one != two:
        left, right = brief(expression.left.span.text), brief(expression.right.span.text)
        title = f"cannot combine {left} {shown(a.type)} with {right} {shown(b.type)} by {expression.op}"
        is_product = expression.op == "*" and (len(one), len(two)) in PRODUCTS and one[-1] == two[0]
        help = f"a product of matrices and vectors is written {left} @ {right}" if is_product else None
        help = of_batch(evaluator.scope.cell, expression.left, expression.right) or help
        notes = evaluator.origins(expression.left, expression.right)
        raise evaluator.problem(
            SHAPE_MISMATCH, title, expression.span, label=_difference(one, two), notes=notes, help=help
        )


def _difference(one: tuple[Dim, ...], two: tuple[Dim, ...]) -> str:
    if len(one) != len(two):
        names = {1: "a vector", 2: "a matrix"}
        return " and ".join(names.get(len(s), f"{len(s)} dimensions") for s in (one, two)) + " do not match"
    which = next(i for i in range(len(one)) if one[i] != two[i])
    return f"the dimensions {one[which]} and {two[which]} differ"


def _product(evaluator: Evaluator, expression: syntax.Binary, a: Value, b: Value) -> Value:
    one, two = a.type.shape, b.type.shape
    left, right = brief(expression.left.span.text), brief(expression.right.span.text)
    spec = PRODUCTS.get((len(one), len(two)))
    if spec is not None and one[-1] == two[0]:
        return a.product(b, spec)
    title = f"cannot multiply {left} {shown(a.type)} by {right} {shown(b.type)}"
    notes = evaluator.origins(expression.left, expression.right)
    help: str | None
    batch = of_batch(evaluator.scope.cell, expression.left, expression.right)
    if batch is not None:
        reason, help = f"{shown(a.type)} and {shown(b.type)} do not match", batch
    elif spec is not None:
        reason = f"the inner dimensions {one[-1]} and {two[0]} differ"
        help = _fitting(evaluator, left, right, one, two)
    elif one and two:
        reason = "@ needs a matrix"
        help = f"dot({left}, {right}) of two vectors is a number, outer({left}, {right}) a matrix"
    else:
        reason, help = "@ does not multiply by a number", f"write {left} * {right}"
    raise evaluator.problem(PRODUCT_MISMATCH, title, expression.span, label=reason, notes=notes, help=help)


def _fitting(evaluator: Evaluator, left: str, right: str, one: tuple[Dim, ...], two: tuple[Dim, ...]) -> str | None:
    """What may fit: the factors swapped, the matrix transposed, or another vector."""
    left, right = (f"({s})" if " " in s else s for s in (left, right))
    if two[-1] == one[0] and len(one) + len(two) == 3 and len(two) == 2:
        return f"did you mean {right} @ {left}?"
    if len(one) != 2 or len(two) != 1:
        return None
    instance = evaluator.scope
    vectors = [k for k, s in instance.streams.items() if s.type is not None and s.type.shape == (one[-1],)]
    outputs = {p.name for p in instance.cell.outputs}
    states = sorted((k for k in instance.defined.states if k in vectors), key=lambda k: k[0] not in outputs)
    if states:
        return f"did you mean {left} @ {label(states[0])}[t-1]?"
    if one[0] == two[0]:
        return f"did you mean transpose({left}) @ {right}?"
    return f"did you mean {left} @ {label(vectors[0])}?" if vectors else None
