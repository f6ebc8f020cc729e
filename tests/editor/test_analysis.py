"""An analysis says what `recurrency check` says, however the text came to be what it is."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from recurrency.editor.analysis import Analysis, Workshop
from recurrency.editor.pieces import pieces
from recurrency.editor.places import normal, range_of
from recurrency.errors import Diagnostic, SpecError
from recurrency.language.sources import library_index
from recurrency.model.spec import load

MALFORMED = [p for p in sorted((Path(__file__).parents[1] / "malformed").glob("*.rnn")) if p.stem != "010_latin_1"]
"""All but the one that is not UTF-8: an editor sends text."""
LIBRARY = sorted(set(library_index().values()))


def said_by_check(path: Path) -> list[Diagnostic]:
    """What the command says about a file."""
    try:
        spec = load(path)
        spec.check()
    except SpecError as error:
        return list(error.diagnostics)
    return list(spec.lint())


def whole(found: Diagnostic) -> tuple[object, ...]:
    place = range_of(found.span) if found.span and found.span.end_line else None
    return found.code, found.title, place, found.label, found.notes, found.help


def found_by(workshop: Workshop, text: str) -> tuple[Analysis, list[tuple[object, ...]]]:
    analysis = workshop.analyse(text)
    found = [*analysis.mistakes, *workshop.warnings(analysis)]
    return analysis, [(*whole(f.diagnostic)[:2], f.range, *whole(f.diagnostic)[3:]) for f in found]


@pytest.mark.parametrize("path", MALFORMED[::10], ids=lambda p: p.stem)
def test_an_editor_shows_what_check_says(path: Path) -> None:
    compare(path)


@pytest.mark.long
@pytest.mark.parametrize("path", [p for n, p in enumerate(MALFORMED) if n % 10], ids=lambda p: p.stem)
def test_an_editor_shows_what_check_says_of_all_malformed_specs(path: Path) -> None:
    compare(path)


def compare(path: Path) -> None:
    """The same codes; of a text in one piece the same messages in the same places."""
    wanted = said_by_check(path)
    text = normal(path.read_text(encoding="utf-8"))
    _, found = found_by(Workshop(path, str(path)), text)
    assert {f[0] for f in found} == {d.code for d in wanted}
    if len(pieces(text)) == 1 and all(d.span and d.span.source.name == str(path) for d in wanted):
        assert sorted(map(repr, found)) == sorted(repr(whole(d)) for d in wanted)


def test_the_library_has_the_warnings_that_check_gives() -> None:
    for path in LIBRARY[::12]:
        _, found = found_by(Workshop(path, path.name), path.read_text(encoding="utf-8"))
        assert [f[0] for f in found] == [d.code for d in said_by_check(path)]


TEXT = '''\
use Linear, LSTM from library
use "other.rnn"

# what follows is silent
fn squash(a) = tanh(a)

cell Leaky[N, H](x: [N]) -> (y: [H]) {
    """Units
cell that forget {"""

    param W : [H, N] ~ glorot_uniform
    state s : [H] = 0
    unread = x  # ok: RNN103

    s = 0.9 * s[t-1] + squash(W @ x)
    y = Linear[H](s)
}

# a stack
cell Two[N, H, L = 2](x: [N]) -> (z: [H]) {
    state h[1..L] : [H] = 0
    for j in 1..L {
        h[j] = tanh(Leaky[H](x) + Other[H](x) + h[j][t-1])
    }
    z = sum(h[j] for j in 1..L)
}

cell Three[N](x: [N]) -> (z: [N]) {
    u = Two[N](x)
    z = u.h[1]
}
'''
OTHER = "cell Other[N, H](x: [N]) -> (h: [H]) {\n    h = LSTM[H](x)\n}\nuse LSTM from library\n"
PARTS = (
    "x",
    "h",
    "[t-1]",
    "\n",
    "}",
    "{",
    "(",
    ")",
    '"""',
    " cell ",
    "\ncell A",
    "\nfn squash(a) = a\n",
    "# ok: RNN103",
    "tanj",
    "use ",
    "",
    "  ",
)


MOVED = [
    TEXT,
    TEXT.replace("squash(W @ x)", "squash(W @ s)"),  # its notes name lines, in the cell and in those that use it
    "\n\n" + TEXT.replace("squash(W @ x)", "squash(W @ s)"),
    "\n\n" + TEXT.replace("squash(W @ x)", "squish(W @ x)"),
    "\n\n" + TEXT.replace("squash(W @ x)", "squish(W @ x)").replace("cell Three", "fn squishes(a) = a\n\ncell Three"),
    "\n\n" + TEXT.replace("squash(W @ x)", "squish(W @ x)").replace("cell Three", "fn squisch(a) = a\n\ncell Three"),
    TEXT.replace("squash(W @ x)", "squish(W @ x)"),
    TEXT.replace("cell Three[N]", "cell Two[N]"),
    "\n" + TEXT.replace("cell Three[N]", "cell Two[N]"),
    TEXT,
]


def test_messages_follow_their_lines_and_what_else_is_defined(tmp_path: Path) -> None:
    (tmp_path / "other.rnn").write_text(OTHER)
    path = tmp_path / "text.rnn"
    kept, seen = Workshop(path, path.name), []
    for text in MOVED:
        _, found = found_by(kept, text)
        assert found == found_by(Workshop(path, path.name), text)[1], text
        seen.append(found)
    assert len({repr(found) for found in seen}) == len(MOVED) - 1, "each text has its own messages"


def test_a_text_changed_step_by_step_is_read_like_a_new_one(tmp_path: Path) -> None:
    changed_at_random(tmp_path, random.Random(4), 8)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_texts_changed_at_random_are_read_like_new_ones(tmp_path: Path, seed: int) -> None:
    changed_at_random(tmp_path, random.Random(seed), 60)


def changed_at_random(folder: Path, draw: random.Random, steps: int) -> None:
    """Insert, delete and undo in random places: the kept parts must not show."""
    (folder / "other.rnn").write_text(OTHER)
    path = folder / "text.rnn"
    kept, texts = Workshop(path, path.name), [TEXT]
    for _ in range(steps):
        text = texts[-1]
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice((0, 0, 0, 1, 2, 30)))
        text = draw.choice([text[:start] + draw.choice(PARTS) + text[end:], draw.choice(texts), TEXT])
        texts.append(text)
        analysis, found = found_by(kept, text)
        fresh, wanted = found_by(Workshop(path, path.name), text)
        assert found == wanted, text
        assert [(o.symbol.name, o.range) for o in analysis.names] == [(o.symbol.name, o.range) for o in fresh.names]


def test_the_pieces_of_a_text_are_the_text() -> None:
    parts = pieces(TEXT)
    assert "".join(piece.text for piece in parts) == TEXT
    assert [piece.text.strip().split()[0] for piece in parts] == ["use", "use", "#", "cell", "#", "cell"]
    assert [TEXT.split("\n")[piece.line] for piece in parts] == [piece.text.split("\n")[0] for piece in parts]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("cell\n" * 15_000, id="cells"),
        pytest.param("cell C[H](x: [H]) -> (h: [H]) {\nh = " + "(" * 15_000, id="brackets"),
        pytest.param('"' * 900_000, id="quotes"),
        pytest.param("# a\n" * 18_000 + "cell", id="comments"),
    ],
)
def test_a_hostile_text_is_answered_in_time(text: str) -> None:
    start = time.process_time()
    assert Workshop(None, "<text>").analyse(text).mistakes
    assert time.process_time() - start < 10


def test_a_text_that_is_too_long_is_refused() -> None:
    analysis = Workshop(None, "<text>").analyse(TEXT * 2_000)
    assert [f.diagnostic.code for f in analysis.mistakes] == ["RNN012"]
    assert analysis.names == []
    analysis = Workshop(None, "<text>").analyse(TEXT.replace('use "other.rnn"', "").replace("Leaky", "L") * 200)
    assert [f.diagnostic.code for f in analysis.mistakes] == ["RNN012"]
