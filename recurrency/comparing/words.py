"""Phrases for differences: a table with a row for each kind of edit; they describe the second cell.

A phrase is None if it would be too long; then the whole comparison has no summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from recurrency.comparing.alignment import Linear, linear
from recurrency.comparing.cuts import TOGETHER, Cut, unindexed
from recurrency.comparing.explaining import Edit, Piece
from recurrency.comparing.fitting import GateRead
from recurrency.comparing.parameters import Pair
from recurrency.equations.polynomials import Call, Factor, Past, Product, Sum
from recurrency.equations.printing import Printer
from recurrency.language.vocabulary.table import FUNCTIONS

LONGEST = 60
"""Greatest length of a phrase."""
MOST_NAMES = 6
"""Longer lists of names are cut."""

Phrase: TypeAlias = str | None


class Side(Printer):
    """Prints the equations of one cell; `roles` has the roles of its gates."""

    def __init__(self, cut: Cut, roles: Mapping[str, str]) -> None:
        super().__init__(cut)
        self.cut, self.roles = cut, roles

    def is_memory(self, factor: Factor) -> bool:
        """Whether a factor is a state but not an output."""
        return isinstance(factor, Past) and factor.stream in self.cut.cuts and factor.stream not in self.cut.outputs()

    def is_state(self, factor: Factor) -> bool:
        """Whether a factor is a state at an earlier step."""
        return isinstance(factor, Past) and factor.stream in self.cut.cuts and factor.delay > 0

    def text(self, piece: Piece) -> str:
        """A piece of an equation; a gate with its role."""
        match piece:
            case None:
                return ""
            case Sum():
                return self.sum(piece)
            case Product():
                return self.text(piece.factors[0]) if len(piece.factors) == 1 else self.product(piece)
            case Call():
                name = self.forms.names.get(piece, "")
                role = self.roles.get(name, "gate" if piece.op == "sigmoid" and name else "")
                return f"{role} {self.factor(piece)}".strip()
        return self.factor(piece)

    def _call(self, call: Call) -> str:
        return self.sum(call.args[0]) if call.op == TOGETHER else super()._call(call)


@dataclass(frozen=True)
class Sides:
    """Both cells."""

    ours: Side
    theirs: Side
    met: tuple[set[str], set[str]]
    """The paired streams of each cell."""


Row: TypeAlias = Callable[[Sequence[Edit], Sides], list[Phrase]]


def phrases(edits: Sequence[Edit], reads: Sequence[GateRead], sides: Sides) -> list[Phrase]:
    """How the second cell differs from the first."""
    found: list[Phrase] = [_of_gate(read, sides) for read in reads]
    for kind, row in WORDS.items():
        of_kind = [edit for edit in edits if edit.kind == kind]
        found += row(of_kind, sides) if of_kind else []
    return [text if text and len(text) <= LONGEST else None for text in dict.fromkeys(found)]


def _of_gate(read: GateRead, sides: Sides) -> str:
    """A gate that is inverted or coupled."""
    side = (sides.ours, sides.theirs)[read.side]
    named = {unindexed(name)[0]: role for name, role in side.roles.items()}
    gate = f"{named.get(read.gate, 'gate')} {read.gate.rpartition('.')[2]}"
    if not read.other:
        return f"{gate} inverted"
    return f"{gate} {'is' if read.side == 0 else 'separate, not'} 1 - {read.other.rpartition('.')[2]}"


def of_merged(side: int, one: str, others: Sequence[str]) -> str:
    """Several gates of one cell for one of the other; `side` is the cell of the one (0 ours, 1 theirs)."""
    return f"one gate {one} for {listed(others)}" if side else f"gates {listed(others)} in place of one, {one}"


def of_first_values(parameters: Sequence[Pair]) -> list[str]:
    """A phrase for all parameters whose initial values differ in the same way."""
    groups: dict[tuple[str, str], list[str]] = {}
    for pair in parameters:
        if pair.ours and pair.theirs and not pair.same_first:
            groups.setdefault((pair.ours.first, pair.theirs.first), []).append(pair.theirs.name)
    return [f"first value of {listed(names)}: {theirs}, not {ours}" for (ours, theirs), names in groups.items()]


def listed(names: Iterable[str]) -> str:
    """`a, b and c`, each name once; long lists are cut."""
    found = list(dict.fromkeys(names))
    if len(found) > MOST_NAMES:
        found = [*found[: MOST_NAMES - 1], f"{len(found) - MOST_NAMES + 1} more"]
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def plural(word: str, names: Sequence[str]) -> str:
    """A word in singular or plural, and the names."""
    return f"{word}{'s' * (len(set(names)) > 1)} {listed(names)}" if word else listed(names)


# ---------------------------------------------------------------------------------------------------- rows of the table


def _each(pattern: str) -> Row:
    """A phrase for each edit with the texts of its pieces; None if both texts are the same."""

    def row(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
        texts = [(sides.ours.text(e.ours), sides.theirs.text(e.theirs), e.place[1]) for e in edits]
        return [
            pattern.format(ours=a, theirs=b, name=name) if a != b or "{ours}" not in pattern else None
            for a, b, name in texts
        ]

    return row


def _together(pattern: str, one: str = "", many: str = "") -> Row:
    """One phrase for all edits, with a word in singular or plural and the names of both sides."""

    def row(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
        ours, theirs = [sides.ours.text(e.ours) for e in edits], [sides.theirs.text(e.theirs) for e in edits]
        several = len({*ours, *theirs} - {""}) > (2 if all(ours) and all(theirs) else 1)
        return [pattern.format(ours=listed(ours), theirs=listed(theirs), word=many if several else one)]

    return row


def _functions(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
    pairs = [(e.ours, e.theirs) for e in edits]
    names = dict.fromkeys((a.op, b.op) for a, b in pairs if isinstance(a, Call) and isinstance(b, Call))
    return [f"{b} in place of {a}" if a != b and {a, b} <= FUNCTIONS.keys() else None for a, b in names]


def _coefficients(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
    """Different coefficients of the same term; without the term if that is long."""
    out: list[Phrase] = []
    for edit in edits:
        assert isinstance(edit.ours, Sum)
        assert isinstance(edit.theirs, Sum)
        text = f"{sides.theirs.text(edit.theirs)} in place of {sides.ours.text(edit.ours)}"
        numbers = [next(iter(form.terms.values())) for form in (edit.theirs, edit.ours)]
        out.append(text if len(text) <= LONGEST else f"factor {numbers[0]:g} in place of {numbers[1]:g}")
    return out


def _around(theirs: bool) -> Row:
    """A call on one side whose argument is on the other side without the call."""

    def row(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
        out: list[Phrase] = []
        for edit in edits:
            call, other = (edit.theirs, edit.ours) if theirs else (edit.ours, edit.theirs)
            assert isinstance(call, Call)
            inner = sides.ours.text(other) if theirs else sides.theirs.text(other)
            inner = inner or (sides.theirs if theirs else sides.ours).text(call.args[0])
            out.append(f"{'' if theirs else 'no '}{call.op} around {inner}")
        return out

    return row


def _terms(theirs: bool) -> Row:
    """Terms or factors that only one side has, grouped by kind."""

    def row(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
        side, groups = (sides.theirs if theirs else sides.ours), dict[str, list[str]]()
        for edit in edits:
            piece = edit.theirs if theirs else edit.ours
            kind, text = _kind(piece, edit.inside, side)
            gate = piece.factors[0] if isinstance(piece, Product) and len(piece.factors) == 1 else None
            if isinstance(gate, Call) and side.forms.names.get(gate) in sides.met[theirs]:
                text = f"{side.factor(gate)} in {edit.place[theirs]}"  # the cell still has it elsewhere
            groups.setdefault(kind, []).append(text)
        return [f"{'with' if theirs else 'without'} {plural(kind, texts)}" for kind, texts in groups.items()]

    return row


def _kind(piece: Piece, inside: str, side: Side) -> tuple[str, str]:
    """The kind of a term ("" if it has none), and its text."""
    term = linear(piece) if isinstance(piece, Product) else None
    kind = next((kind for kind, fits in TERMS.items() if term and fits(term, inside, side)), "")
    if term is None or kind not in BY_PARAMETER:
        return kind, side.text(piece)
    gates = [side.factor(factor) for factor in term.outer if isinstance(factor, Call)]
    return kind, side.block(term.block) + (f" times {listed(gates)}" if gates else "")


TERMS: dict[str, Callable[[Linear, str, Side], bool]] = {
    "bias": lambda term, inside, side: not term.matrix and all(isinstance(f, Call) for f in term.outer),
    "peephole": lambda term, inside, side: (
        inside == "sigmoid" and len(term.factors) == 1 and side.is_memory(term.factors[0])
    ),
    "recurrent product": lambda term, inside, side: term.matrix and any(map(side.is_state, term.inner)),
}
"""Kinds of terms and their conditions; the second argument is the function around the term."""
BY_PARAMETER = {"bias", "peephole"}
"""Kinds that are described by the parameter only."""

WORDS: dict[str, Row] = {
    "out": _each("{theirs} after the product, not before"),
    "in": _each("{theirs} before the product, not after"),
    "function": _functions,
    "wrapped": _around(theirs=True),
    "bare": _around(theirs=False),
    "full": _together("{word} {theirs} in place of {ours}", "full matrix", "full matrices"),
    "diagonal": _together("{word} {theirs} in place of {ours}", "vector", "vectors"),
    "projection added": _together("with {word} {theirs}", "projection", "projections"),
    "projection missing": _together("without {word} {ours}", "projection", "projections"),
    "term added": _terms(theirs=True),
    "factor added": _terms(theirs=True),
    "term missing": _terms(theirs=False),
    "factor missing": _terms(theirs=False),
    "parameter": _each("{theirs} in place of {ours}"),
    "replaced": _each("{theirs} in place of {ours}"),
    "delay": _each("{theirs} in place of {ours}"),
    "coefficient": _coefficients,
    "first": _each("{name} starts at {theirs}, not {ours}"),
    "shape": lambda edits, sides: [],  # follows from other differences, and is shown with the parameters
}
"""For each kind of edit, the phrases for all edits of that kind."""
