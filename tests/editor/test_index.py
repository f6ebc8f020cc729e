"""Every name of the shipped cells is known, and each can be renamed without a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurrency.editor.analysis import Analysis, Workshop
from recurrency.editor.fixing import Edit, applied
from recurrency.editor.index import Symbol
from recurrency.editor.renaming import places, renamed
from recurrency.errors import UsageError
from recurrency.language.sources import library_index
from recurrency.language.words import read_name

LIBRARY = sorted(set(library_index().values()))
PAGE = """\
use LSTM from library

fn twice(f, a) = f(f(a))

cell Inner[N, H, squash = tanh](x: [N], w: index[N] over s) -> (h: [H], g: [H]) {
    fn gate(a) = sigmoid(a) * squash(a)

    const A : [H, H] = matrix(i, j: i - j)
    param W[1..2] : [H, N] ~ normal(0, 0.1) * bernoulli(0.5)
    state h, c    : [H]    = 0

    for k in 1..2 {
        y[k] = gate(W[k] @ x) + A @ h[t-1]
    }

    c = sum(y[k] for k in 1..2 if k != 3) + c[t-1]
    h = twice(squash, c) + last(onehot(w)) @ transpose(W[1])
    g = h * 2
}

cell Outer[N, H](x: [N], start: [], w: index[N] over s) -> (z: [H]) {
    reader = Inner[H = H, squash = relu]
    below  = LSTM[H](x)
    u      = reader(x = x, w = w) from (h = last(below), c = last(below.c)) reset start
    v      = reader(x, w) when start
    z      = u.g + v.c + einsum("i->i", u)
}
""".replace(" where 1", "")


def analysed(text: str, path: Path | None = None) -> Analysis:
    return Workshop(path, path.name if path else "<text>").analyse(text)


def unknown(analysis: Analysis) -> set[str]:
    """The names that stand for nothing."""
    known = {(o.range.line, o.range.column) for o in analysis.names}
    out = set()
    for piece, reading in analysis.parts:
        for word in reading.words:
            line = (word.line or 1) - 1 - reading.line + piece.line
            if word.type == "NAME" and (line, (word.column or 1) - 1) not in known:
                out.add(read_name(word))
    return out


WORDS = {"t", "init", "axis", "per", "matrix", "vector", "tensor", "given", "s", "i", "sequence", "step"}
"""Names without a symbol: words of the language, and clocks behind outputs."""


@pytest.mark.parametrize("path", LIBRARY[::10], ids=lambda p: p.stem)
def test_every_name_of_the_library_is_known(path: Path) -> None:
    assert unknown(analysed(path.read_text(encoding="utf-8"), path)) <= WORDS


def test_every_name_of_a_page_is_known_and_local_names_have_their_places() -> None:
    analysis = analysed(PAGE)
    assert [f.diagnostic.title for f in analysis.mistakes] == []
    assert unknown(analysis) <= WORDS
    at = PAGE[: PAGE.index("y[k] = gate")].count("\n")
    loop = analysis.name_at(at, 10)
    assert loop is not None
    assert (loop.symbol.kind, len(places([analysis], loop.symbol))) == ("local", 3), "not those of the comprehension"
    member = next(o for o in analysis.names if o.symbol.name == "g" and o.symbol.home == "Inner" and o.range.line > 20)
    assert places([analysis], member.symbol, definitions=True)[0].range.line == 4


def symbols(analysis: Analysis) -> list[Symbol]:
    """What the text defines, once each."""
    return list(dict.fromkeys(o.symbol for o in analysis.names if o.defines))


def test_a_renamed_text_has_no_mistakes() -> None:
    every_name_renamed(PAGE)


@pytest.mark.long
@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: p.stem)
def test_every_shipped_cell_can_be_renamed_name_by_name(path: Path) -> None:
    every_name_renamed(path.read_text(encoding="utf-8"))


def every_name_renamed(text: str) -> None:
    """Each symbol once: no new mistakes or warnings, and as many names as before."""
    workshop = Workshop(None, "<text>")
    analysis = workshop.analyse(text)
    before = [f.diagnostic.number for f in workshop.warnings(analysis)]
    assert len(symbols(analysis)) > 10
    for symbol in symbols(analysis):
        changed = [Edit(place.range, "fresh") for place in renamed([analysis], symbol, "fresh")]
        after = workshop.analyse(applied(analysis.lines, tuple(changed)))
        assert [f.diagnostic.title for f in after.mistakes] == [], symbol
        assert [f.diagnostic.number for f in workshop.warnings(after)] == before, symbol
        assert len(after.names) == len(analysis.names), symbol


@pytest.mark.parametrize(
    ("name", "new", "why"),
    [
        ("W", "x", "x already has a meaning where W is used"),
        ("W", "param", "param is a reserved word"),
        ("W", "t", "t is the time"),
        ("W", "a b", "'a b' is not a name"),
        ("W", "½", "'½' is not a name|not a name"),
        ("gate", "h", "h already has a meaning where gate is used"),
        ("Inner", "Outer", "Outer already has a meaning"),
        ("Inner", "twice", "twice already has a meaning"),
        ("tanh", "sinh", "tanh is a word of the language"),
        ("LSTM", "Mine", "LSTM belongs to a shipped cell"),
    ],
)
def test_a_name_that_means_something_is_refused(name: str, new: str, why: str) -> None:
    analysis = analysed(PAGE)
    symbol = next(o.symbol for o in analysis.names if o.symbol.name == name)
    with pytest.raises(UsageError, match=why):
        renamed([analysis], symbol, new)
