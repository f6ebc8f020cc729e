"""The differences that have a name: a row for each kind, from single edits to phrases that say what the second cell is.

What is too long for a glance has no words (None), and with it the whole difference has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from recurrency.comparing.alignment import Linear, linear
from recurrency.comparing.cuts import unindexed
from recurrency.comparing.explaining import Edit, Piece
from recurrency.comparing.fitting import GateRead
from recurrency.comparing.wording import Side, listed, plural
from recurrency.equations.polynomials import Call, Product, Sum
from recurrency.language.vocabulary.table import FUNCTIONS

LONGEST = 60
"""A longer phrase says nothing at a glance."""

Phrase: TypeAlias = str | None


@dataclass(frozen=True)
class Sides:
    """Both cells, ours and theirs."""

    ours: Side
    theirs: Side
    met: tuple[set[str], set[str]]
    """The streams of each that were compared with something."""


Row: TypeAlias = Callable[[Sequence[Edit], Sides], list[Phrase]]


def phrases(edits: Sequence[Edit], reads: Sequence[GateRead], sides: Sides) -> list[Phrase]:
    """What the second cell is, told from the first."""
    found: list[Phrase] = [_of_gate(read, sides) for read in reads]
    for kind, row in WORDS.items():
        of_kind = [edit for edit in edits if edit.kind == kind]
        found += row(of_kind, sides) if of_kind else []
    return [text if text and len(text) <= LONGEST else None for text in dict.fromkeys(found)]


def _of_gate(read: GateRead, sides: Sides) -> str:
    """A gate that is turned or coupled."""
    side = (sides.ours, sides.theirs)[read.side]
    named = {unindexed(name)[0]: role for name, role in side.roles.items()}
    gate = f"{named.get(read.gate, 'gate')} {read.gate.rpartition('.')[2]}"
    if not read.other:
        return f"{gate} turned round"
    return f"{gate} {'is' if read.side == 0 else 'of its own, not'} 1 - {read.other.rpartition('.')[2]}"


# ---------------------------------------------------------------------------------------------------- rows of the table


def _each(pattern: str) -> Row:
    """A phrase for each edit, with the texts of its pieces; none where these look alike."""

    def row(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
        texts = [(sides.ours.text(e.ours), sides.theirs.text(e.theirs), e.place[1]) for e in edits]
        return [
            pattern.format(ours=a, theirs=b, name=name) if a != b or "{ours}" not in pattern else None
            for a, b, name in texts
        ]

    return row


def _together(pattern: str, one: str = "", many: str = "") -> Row:
    """A phrase for all edits, with the names of both sides after a word for one or many of them."""

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
    """Other numbers before the same; only the numbers, where the rest is long."""
    out: list[Phrase] = []
    for edit in edits:
        assert isinstance(edit.ours, Sum)
        assert isinstance(edit.theirs, Sum)
        text = f"{sides.theirs.text(edit.theirs)} in place of {sides.ours.text(edit.ours)}"
        numbers = [next(iter(form.terms.values())) for form in (edit.theirs, edit.ours)]
        out.append(text if len(text) <= LONGEST else f"factor {numbers[0]:g} in place of {numbers[1]:g}")
    return out


def _around(theirs: bool) -> Row:
    """A function around what stands on the other side without it."""

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
    """Terms or factors that only one side has, those of one kind together."""

    def row(edits: Sequence[Edit], sides: Sides) -> list[Phrase]:
        side, groups = (sides.theirs if theirs else sides.ours), dict[str, list[str]]()
        for edit in edits:
            piece = edit.theirs if theirs else edit.ours
            kind, text = _kind(piece, edit.inside, side)
            gate = piece.factors[0] if isinstance(piece, Product) and len(piece.factors) == 1 else None
            if isinstance(gate, Call) and side.forms.names.get(gate) in sides.met[theirs]:
                text = f"{side.factor(gate)} in {edit.place[theirs]}"  # it is still there elsewhere
            groups.setdefault(kind, []).append(text)
        return [f"{'with' if theirs else 'without'} {plural(kind, texts)}" for kind, texts in groups.items()]

    return row


def _kind(piece: Piece, inside: str, side: Side) -> tuple[str, str]:
    """What a term is ("" where it is nothing that has a name), and what it is called then."""
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
"""Terms that have a name: what they consist of, and in which function they stand."""
BY_PARAMETER = {"bias", "peephole"}
"""Those of which only the parameter is told."""

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
    "shape": lambda edits, sides: [],  # follows from other differences, and is told where the parameters are
}
"""Kind of an edit -> the phrases for all edits of that kind."""
