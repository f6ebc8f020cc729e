"""A cell in one line: the number of its parameters as a formula, and the kinds of its recurrences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from recurrency.graph.dimensions import Poly
from recurrency.language.elaboration.elaborate import Elaborated
from recurrency.passes.recurrence import Recurrence

NONE = "none"
"""What is printed for a cell without recurrence."""


def size(shape: Iterable[Any]) -> int | Poly:
    """The number of elements of a shape."""
    total: int | Poly = 1
    for dimension in shape:
        total = total * dimension
    return total


def parameters(found: Elaborated) -> int | Poly:
    """The number of elements of all parameters of a cell."""
    total: int | Poly = 0
    for parameter in found.parameters.values():
        total = total + size(parameter.shape)
    return total


def formula(count: int | Poly, dimensions: Sequence[str] = ()) -> str:
    """A count as `4 H N + 4 H^2 + 7 H`: high degrees first, then in the order of the names in `dimensions`."""
    if not isinstance(count, Poly):
        return str(count)

    def place(names: tuple[str, ...]) -> tuple[int, ...]:
        return (-len(names), *(-names.count(name) for name in dimensions))

    text = ""
    for names, factor in sorted(count.terms, key=lambda term: place(term[0])):
        powers = [name if n == 1 else f"{name}^{n}" for name, n in Counter(names).items()]
        term = " ".join(([str(abs(factor))] if abs(factor) != 1 or not names else []) + powers)
        sign = "-" if factor < 0 else "+"
        text += f" {sign} {term}" if text else (f"-{term}" if factor < 0 else term)
    return text


def kinds(loops: Iterable[Recurrence]) -> dict[str, list[str]]:
    """The states of each kind of recurrence; a family such as `h[1..L]` counts as one, unnamed streams are left out."""
    found: dict[str, list[str]] = {}
    for loop in loops:
        states = found.setdefault(loop.kind, [])
        for state in loop.states:
            name = re.sub(r"\[.*?\]", "", state)
            if name not in states and not name.startswith("%"):
                states.append(name)
    return found


def kinds_text(loops: Iterable[Recurrence]) -> str:
    """The kinds in one line: `full`, `none`, or several as in `full: h; diagonal affine: s`."""
    found = {kind.replace(", ", " "): states for kind, states in kinds(loops).items()}
    if len(found) < 2:
        return next(iter(found), NONE)
    return "; ".join(f"{kind}: {', '.join(states)}" if states else kind for kind, states in found.items())
