"""Square brackets among the arguments of a call: a shape where the function takes one, else a list."""

from __future__ import annotations

from recurrency.errors import Diagnostic
from recurrency.language import syntax
from recurrency.language.diagnostics import UNEXPECTED_WORD, say


def lists_in(call: syntax.Call) -> list[Diagnostic]:
    """The mistakes of a call such as `concat([x, h])`; `reshape(x, [M, D])` has none."""
    shapes = [a for a in call.arguments if isinstance(a, syntax.Shape)]
    if not shapes:
        return []
    from recurrency.language.vocabulary.table import FUNCTIONS  # needed only for shapes among arguments

    function = FUNCTIONS.get(call.callee.name) if isinstance(call.callee, syntax.Name) else None
    return [] if function is not None and function.shapes else [_list(call, shape) for shape in shapes]


def _list(call: syntax.Call, shape: syntax.Shape) -> Diagnostic:
    inside = ", ".join(" ".join(d.span.text.split()) for d in shape.dimensions)
    inside = inside if 0 < len(inside) <= 60 else "a, b"
    alone = len(call.arguments) == 1 and isinstance(call.callee, syntax.Name)
    help = "leave the square brackets out:" if alone else "vectors are joined by"
    return say(UNEXPECTED_WORD, "there are no lists", shape.span, help=f"{help} concat({inside})")
