"""A keystroke in a text of 1,000 lines takes less than 100 ms of the processor, from the change to all diagnostics."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path

import pytest

from recurrency.editor.analysis import Workshop
from recurrency.editor.completing import offers
from recurrency.editor.cursor import cursor
from recurrency.editor.pieces import pieces
from recurrency.language.sources import library_index
from recurrency.language.words import words_of

LINES = 1000
MOST = 0.1
"""Seconds of processor time for a keystroke."""


def thousand_lines() -> str:
    """Shipped cells, one after another."""
    text = ""
    for path in sorted(set(library_index().values())):
        more = path.read_text(encoding="utf-8")
        if not re.search(r"^use", more, re.MULTILINE) and text.count("\n") + more.count("\n") <= LINES:
            text += more + "\n"
    assert LINES * 0.95 < text.count("\n") <= LINES + 5
    return text


@pytest.mark.long
def test_a_keystroke_in_a_thousand_lines_takes_less_than_a_tenth_of_a_second() -> None:
    text = thousand_lines()
    workshop = Workshop(Path("long.rnn"), "long.rnn")
    workshop.analyse("cell C[H](x: [H]) -> (h: [H]) {\n    h = tanj(x)\n}\n")  # loads what suggestions need
    workshop.warnings(workshop.analyse(text))
    at = text.index("tanh(", len(text) // 2) + len("tanh(")
    diagnosed, offered = [], []
    for letter in "sigmoid(x) * softplus(tanj(x)) + \n\n":
        text, at = text[:at] + letter + text[at:], at + 1
        start = time.process_time()
        analysis = workshop.analyse(text)
        workshop.warnings(analysis)
        diagnosed.append(time.process_time() - start)
        start = time.process_time()
        line, column = text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1
        piece = next(p for p in reversed(pieces(text)) if p.line <= line)
        found = cursor(text.split("\n"), piece.line, line, column)
        assert found is not None
        assert len(offers(analysis, found, words_of(piece.text), inside=True)) > 100
        offered.append(time.process_time() - start)
    print(f"median {statistics.median(diagnosed):.3f} s, at most {max(diagnosed):.3f} s; offers {max(offered):.3f} s")
    assert statistics.median(diagnosed) < MOST
    assert statistics.median(offered) < MOST
    assert max(diagnosed) < 3 * MOST


@pytest.mark.long
def test_lines_above_a_text_cost_nothing() -> None:
    text = thousand_lines()
    workshop = Workshop(Path("long.rnn"), "long.rnn")
    workshop.warnings(workshop.analyse(text))
    start = time.process_time()
    workshop.warnings(workshop.analyse(f"# a comment\n\n{text}"))
    assert time.process_time() - start < MOST
