"""The comparison of two cells: all differences, and a summary in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recurrency.comparing.difference import Lines, difference
from recurrency.comparing.interface import Cell, Section, sections
from recurrency.comparing.pairing import numbered
from recurrency.comparing.parameters import Pair, pairs
from recurrency.comparing.words import of_first_values
from recurrency.model.spec import Spec

MOST_PHRASES = 4
"""A comparison with more phrases has no summary."""


@dataclass(frozen=True)
class Comparison:
    """How two cells differ. `same` if only in names; `summary` is "" if a few words are not enough.

    `counts` are the numbers of parameters, as formulas. `equations` has the lines that differ, in corresponding pairs.
    `names` maps our streams and parameters to theirs where the names differ. `note` is not empty if equations were
    compared as text, and says why.
    """

    ours: Spec
    theirs: Spec
    sections: Sequence[Section]
    parameters: Sequence[Pair]
    counts: tuple[str, str]
    equations: Sequence[Lines] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    note: str = ""
    same: bool = False


def compare(ours: Spec, theirs: Spec, dimensions: Mapping[str, Any] | None = None) -> Comparison:
    """Compare two cells; each of `dimensions` is given to the cells that have one of that name.

    Raises:
        SpecError: a spec has mistakes. UsageError: a dimension is unknown or does not fit.
    """
    checked, given = [spec.checked() for spec in (ours, theirs)], dimensions or {}
    numbers = numbered((ours, checked[0]), (theirs, checked[1]), given)
    a, b = Cell(ours, given, numbers[0]), Cell(theirs, given, numbers[1])
    found = difference(a, b)
    parameters = pairs((a.letters, a.numbers), (b.letters, b.numbers), found.parameters)
    phrases = [*found.phrases, *of_first_values(parameters)]
    parts = sections(a, b)
    ports = all(len(part.ours) == len(part.theirs) for part in parts if part.name in ("inputs", "outputs"))
    short = ports and None not in phrases and len(phrases) <= MOST_PHRASES
    return Comparison(
        ours=ours,
        theirs=theirs,
        sections=parts,
        parameters=parameters,
        counts=(a.count, b.count),
        equations=found.lines,
        names=_other_names(found.names, parameters),
        summary="; ".join(text for text in phrases if text) if short else "",
        note=found.note,
        same=found.same and all([part.same for part in parts] + [pair.same for pair in parameters]),
    )


def _other_names(streams: Mapping[str, str], parameters: Sequence[Pair]) -> dict[str, str]:
    """The names that differ in the second cell."""
    both = {pair.ours.name: pair.theirs.name for pair in parameters if pair.ours and pair.theirs}
    return {name: other for name, other in {**streams, **both}.items() if name != other}
