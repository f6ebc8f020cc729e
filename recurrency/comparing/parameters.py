"""Pairs the parameters of two cells and compares their shapes and initial values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recurrency.inspection.report import initialiser_text, shape_text
from recurrency.language.elaboration.elaborate import Elaborated


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is declared."""

    name: str
    shape: str
    first: str


@dataclass(frozen=True)
class Pair:
    """Corresponding parameters of both cells; None if one cell has none. `same_first` compares initialisers."""

    ours: Parameter | None
    theirs: Parameter | None
    same_shape: bool = False
    same_first: bool = False

    @property
    def same(self) -> bool:
        """Whether they differ in names only."""
        return self.same_shape and self.same_first


def pairs(
    ours: tuple[Elaborated, Elaborated], theirs: tuple[Elaborated, Elaborated], names: Iterable[tuple[str, str]]
) -> list[Pair]:
    """All parameters of both cells; each cell is given with letters and with numbers for its dimensions.

    `names` are corresponding parameters; a name may be in several pairs. The rest is paired by equal names.
    """
    partners = one_to_one(names)
    partners |= {
        n: n for n in ours[0].parameters.keys() & theirs[0].parameters if not {n} & {*partners, *partners.values()}
    }
    found = []
    for name in ours[0].parameters:
        other = partners.get(name)
        if other is None:
            found.append(Pair(_parameter(ours[0], name), None))
            continue
        shapes, firsts = (
            [getattr(side[1].parameters[n], what) for side, n in ((ours, name), (theirs, other))]
            for what in ("shape", "initialiser")
        )
        both = _parameter(ours[0], name), _parameter(theirs[0], other)
        found.append(Pair(*both, shapes[0] == shapes[1], firsts[0] == firsts[1]))
    alone = [name for name in theirs[0].parameters if name not in partners.values()]
    return found + [Pair(None, _parameter(theirs[0], name)) for name in alone]


def one_to_one(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A one-to-one subset of pairs: for each name its equal if there is one, else the first."""
    found: dict[str, str] = {}
    for ours, theirs in sorted(names, key=lambda pair: pair[0] != pair[1]):
        if ours not in found and theirs not in found.values():
            found[ours] = theirs
    return found


def _parameter(found: Elaborated, name: str) -> Parameter:
    info = found.parameters[name]
    return Parameter(name, shape_text(info.shape), initialiser_text(info))
