"""Pairs the dimensions, inputs and outputs of two cells, and chooses sizes for the comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.roots import OUTPUT
from recurrency.language import syntax
from recurrency.language.elaboration.elaborate import Elaborated
from recurrency.model.spec import Spec

STEP = 12
"""Sizes are multiples of it, so that they can be divided by 2, 3 and 4."""

Checked: TypeAlias = tuple[Spec, Elaborated]
"""A cell and its elaboration with dimensions as units."""


def paired(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Our names to theirs: equal names first, then the others in order."""
    mine, others = list(ours), list(theirs)
    found = {name: name for name in mine if name in others}
    rest = [name for name in mine if name not in found], [name for name in others if name not in found]
    return found | dict(zip(*rest, strict=False))


def numbered(ours: Checked, theirs: Checked, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sizes for the dimensions of two cells: equal sizes for a pair.

    `given` has the user's sizes, for all cells that have a dimension of that name.

    Raises:
        UsageError: neither cell has such a dimension.
    """
    names = [[dimension.name for dimension in spec.cell.dimensions] for spec, _ in (ours, theirs)]
    for name in given:
        if name not in names[0] + names[1]:
            hint = nearest_hint(name, names[0] + names[1])
            raise UsageError(f"neither {ours[0].name} nor {theirs[0].name} has a dimension {name}{hint}")
    sizes = _sizes()
    mine, others = ({n: v for n, v in given.items() if n in side} for side in names)
    known = _numbers(*ours), _numbers(*theirs)
    pairs = paired(known[0], known[1])
    for a in known[0]:
        b = pairs.get(a, "")
        found = mine.get(a, others.get(b, known[0][a] or known[1].get(b)))
        if found is not None or a in pairs or _is_free(ours[0], a):
            mine[a] = found or next(sizes)
            others |= {b: mine[a]} if a in pairs and b not in others else {}
    others |= {b: known[1][b] or next(sizes) for b in known[1] if b not in others and _is_free(theirs[0], b)}
    return mine, others


def _numbers(spec: Spec, checked: Elaborated) -> dict[str, int | None]:
    """The dimensions that do not follow from others, with their default, or None."""
    found, out = checked.dimensions, dict[str, int | None]()
    for dimension in spec.cell.dimensions:
        literal = dimension.default.value if isinstance(dimension.default, syntax.Number) else None
        if dimension.default is None:
            out[dimension.name] = found[dimension.name] if isinstance(found[dimension.name], int) else None
        elif isinstance(literal, int):
            out[dimension.name] = literal
    return out


def _is_free(spec: Spec, name: str) -> bool:
    return any(d.name == name and d.default is None for d in spec.cell.dimensions)


def _sizes() -> Iterator[int]:
    number = 5
    while True:
        yield STEP * number
        number += 2 if number % 3 else 4


def results(ours: Elaborated, theirs: Elaborated) -> list[tuple[str, str]]:
    """The pairs of roots that are compared: outputs, and losses if both cells have one."""
    pairs = [(OUTPUT.of(a), OUTPUT.of(b)) for a, b in paired(ours.outputs, theirs.outputs).items()]
    return pairs + [("loss", "loss")] * ("loss" in ours.graph.roots and "loss" in theirs.graph.roots)
