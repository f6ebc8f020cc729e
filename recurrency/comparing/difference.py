"""Compares the equations of two cells: the lines that differ, and phrases for the differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from recurrency.comparing.cuts import RESULTS, Cut, unindexed
from recurrency.comparing.explaining import Edit, Explanation, Place, explained
from recurrency.comparing.fitting import Fitted, Fitter
from recurrency.comparing.identity import identity
from recurrency.comparing.interface import Cell
from recurrency.comparing.pairing import paired, results
from recurrency.comparing.parameters import one_to_one
from recurrency.comparing.roles import roles
from recurrency.comparing.words import Phrase, Side, Sides, of_merged, phrases
from recurrency.equations.forms import Forms
from recurrency.equations.polynomials import Call, factors
from recurrency.errors import UsageError
from recurrency.graph.roots import bare
from recurrency.inspection.summary import parameters

MOST_OTHER = 0.4
"""If a greater part than this differs, there are no phrases."""

Lines = tuple[list[str], list[str]]


@dataclass
class Difference:
    """Whether the equations are the same, pairs of lines that differ, and phrases.

    `parameters` and `names` are the corresponding parameters and streams. A phrase is None if words are not enough.
    `note` says why equations were compared as text, if they were.
    """

    identical: bool
    lines: list[Lines] = field(default_factory=list)
    parameters: Sequence[tuple[str, str]] = ()
    names: dict[str, str] = field(default_factory=dict)
    phrases: Sequence[Phrase] = ()
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether the equations are the same."""
        return self.identical and not self.lines


def difference(ours: Cell, theirs: Cell) -> Difference:
    """Compare the equations of two cells."""
    roots = results(ours.numbers, theirs.numbers)
    found = _compared(ours, theirs, roots)
    alone, lines = [], []
    for side, cell in enumerate((ours, theirs)):
        compared, shown = {pair[side] for pair in roots}, {text for pair in found.lines for text in pair[side]}
        alone.append([r for r in cell.numbers.graph.roots if r.startswith(RESULTS) and r not in compared])
        lines.append([w.text for root in alone[side] for w in cell.equations.of(bare(root)) if w.text not in shown])
    found.lines += [(lines[0], lines[1])] * any(lines)
    if "loss" in alone[0] + alone[1]:
        found.phrases = [*found.phrases, "with a loss" if "loss" in alone[1] else "without a loss"]
    return found


def _compared(ours: Cell, theirs: Cell, roots: list[tuple[str, str]]) -> Difference:
    try:
        cuts = Cut.of(ours.numbers.graph), Cut.of(theirs.numbers.graph)
        if parameters(ours.numbers) == parameters(theirs.numbers):
            same = identity(Forms(cuts[0].graph), Forms(cuts[1].graph), roots)
            if same is not None:
                phrases = ["parameters packed differently"] * same.packed
                return Difference(not same.packed, [], same.parameters, same.names, phrases)
        return _Description((ours, theirs), cuts, roots).done()
    except (UsageError, RecursionError):
        return _as_text(ours, theirs)


def _as_text(ours: Cell, theirs: Cell) -> Difference:
    """Compare equations and parameters of the same names as text."""
    own = ours.equations.own, theirs.equations.own
    found = Difference(
        identical=ours.meaning == theirs.meaning,
        parameters=[(name, name) for name in ours.letters.parameters if name in theirs.letters.parameters],
        phrases=[None],
        note="equations are compared as text: they are too many or too long, or read whole streams",
    )
    for name in dict.fromkeys([*own[0], *own[1]]):
        lines = [[written.text for written in side.get(name, [])] for side in own]
        if lines[0] != lines[1]:
            found.lines.append((lines[0], lines[1]))
    return found


class _Description:
    """Describes the differences between two systems of equations."""

    def __init__(self, cells: tuple[Cell, Cell], cuts: tuple[Cut, Cut], roots: list[tuple[str, str]]) -> None:
        self.cells, self.cuts, self.roots = cells, cuts, roots
        inputs = paired(cells[0].numbers.inputs, cells[1].numbers.inputs) | paired(cuts[0].draws(), cuts[1].draws())
        self.fitted: Fitted = Fitter(roots, inputs).best(*cuts)
        self.explanation: Explanation = explained(self.fitted, [(bare(a), bare(b)) for a, b in roots])
        self.visible = [self._visible(cut) for cut in cuts]
        self.met = self.explanation.met
        self.merged = self._merged()
        self.edits = [*self.explanation.edits, *self._other_parameters()]

    def _visible(self, cut: Cut) -> dict[str, None]:
        """The names of all streams that are compared by themselves: states and function calls."""
        forms = cut.results()
        states = cut.states(forms)
        found = {cut.graph[state].name: None for state in states}
        for form in [*forms, *map(cut.definition, states)]:
            found |= {cut.names.get(f, ""): None for f in factors(form) if isinstance(f, Call)}
        return {name: None for name in found if name}

    def done(self) -> Difference:
        """The result."""
        names = {a: b for a, b in self.explanation.equations if a and b}
        lines = self._lines()
        identical = not (self.edits or self.fitted.reads or self.merged)
        return Difference(identical, lines, self.explanation.parameters, names, self._phrases())

    def _other_parameters(self) -> list[Edit]:
        """Places where a parameter is paired with another one than elsewhere."""
        partners = one_to_one(self.explanation.parameters)
        merged = {name for _, one, others in self.merged for name in (one, *others)}
        return [
            Edit("parameter", a, b, place)
            for (a, b), place in self.explanation.blocks.items()
            if partners.get(a.name) != b.name and not merged & {*place}
        ]

    # ------------------------------------------------------------------------------------------------------ words

    def _phrases(self) -> list[Phrase]:
        if self.fitted.cost > MOST_OTHER * self.fitted.weight():
            return [None]
        read = self.fitted.alignment.ours, self.fitted.alignment.theirs
        sides = [Side(cut, roles(base, base.results())) for cut, base in zip(read, self.cuts, strict=True)]
        edits = sorted(self.edits, key=lambda edit: (self._position(edit.place[0]), edit.place))
        found = phrases(edits, self.fitted.reads, Sides(sides[0], sides[1], self.met))
        return [*(of_merged(side, one, others) for side, one, others in self.merged), *found]

    def _position(self, name: str) -> int:
        """The position of one of our equations in the text."""
        return min((written.span.start for written in self.cells[0].equations.of(name)), default=0)

    def _merged(self) -> list[tuple[int, str, list[str]]]:
        """Gates that correspond to several: the side of the single one (0 ours, 1 theirs), its name, the others."""
        gates = [
            {cut.graph[id].name for found in cut.families().values() for id, _ in found.values()} for cut in self.cuts
        ]
        pairs = [names for names, differ in self.explanation.equations.items() if not differ]
        found = []
        for side in (0, 1):
            many: dict[str, list[str]] = {}
            for names in pairs:
                if names[0] in gates[0] and names[1] in gates[1]:
                    many.setdefault(names[side], []).append(names[1 - side])
            found += [(side, one, others) for one, others in many.items() if len(others) > 1]
        return found

    # ------------------------------------------------------------------------------------------------------ lines

    def _lines(self) -> list[Lines]:
        """The equations that differ: pairs in the order of our text, then those that only one cell has."""
        out = _Lines(self.cells, self.visible)
        alone = [[name for name in self.visible[side] if name not in self.met[side]] for side in (0, 1)]
        for read in self.fitted.reads:
            if read.other:
                sides = [n for n in alone[read.side] if unindexed(n)[0] == read.gate], [read.gate]
                out.add(*(sides if read.side == 0 else sides[::-1]))
        first = [edit.place for edit in self.edits if edit.kind == "first"]
        for place in dict.fromkeys(first):
            out.add([f"state {place[0]}"], [f"state {place[1]}"])
        differ = {edit.place for edit in self.edits if edit.kind == "parameter"}
        differ |= {place for place, other in self.explanation.equations.items() if other or self._reads_other(place)}
        places = [place for place in self.explanation.equations if place in differ]
        for place in sorted(places, key=lambda place: self._position(place[0])):
            ours, theirs = self.explanation.within.get(place, (set(), set()))
            out.add({place[0], *ours}, {place[1], *theirs})
        for side, one, others in self.merged:
            out.add(*(([one], others) if side == 0 else (others, [one])))
        out.add(*alone)
        return out.found

    def _reads_other(self, place: Place) -> bool:
        """Whether the equations of a place read a gate that is replaced by one minus another."""
        for read in self.fitted.reads:
            written = self.cells[read.side].equations.of(place[read.side])
            if any(read.gate in equation.names for equation in written):
                return True
        return False


class _Lines:
    """Collects corresponding lines of both cells, each once."""

    def __init__(self, cells: Sequence[Cell], visible: Sequence[Iterable[str]]) -> None:
        self.cells, self.found = cells, list[Lines]()
        self.visible = [{*names, *(unindexed(name)[0] for name in names)} for names in visible]
        self.shown: tuple[set[str], set[str]] = set(), set()

    def add(self, ours: Iterable[str], theirs: Iterable[str]) -> None:
        """Add the lines of these streams that are on one side only and have not been added before."""
        sides = [
            [written.text for written in cell.equations.shown(names, visible)]
            for cell, names, visible in zip(self.cells, (ours, theirs), self.visible, strict=True)
        ]
        new = [
            [text for text in side if text not in other and text not in shown]
            for side, other, shown in zip(sides, sides[::-1], self.shown, strict=True)
        ]
        if any(new):
            self.found.append((new[0], new[1]))
        for shown, side in zip(self.shown, new, strict=True):
            shown.update(side)
