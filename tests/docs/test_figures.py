"""Figures that were measured say by what: each table and sentence of them has a note in its section.

A note is a paragraph that begins with "Measured:", and names the backend, the machine and the command, which can be run
again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import pytest

from recurrency import backend
from tests.docs.test_docs import refuse_wrong

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/training.md", "docs/performance.md")

FIGURE = re.compile(r"^[\d.,]+( (%|s|ms)\b.*)?(, .*)?$")
"""A cell of a table that holds a measured number."""
SENTENCE = re.compile(r"\b\d[\d.,]* (bits a character|seconds|minutes|of the \d+ seeds)\b")
"""Words in which pages speak of measured numbers outside of tables."""
MACHINE = re.compile(r"\b(one|two|\d+) (threads?|processors?|cores?) of an? [A-Z]\w+")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Piece:
    """A paragraph, table or list of a page, with its place and the notes above it in its section."""

    text: str
    line: int
    notes: tuple[str, ...]


def pieces(text: str) -> Iterator[Piece]:
    """Those of a page, without what is generated or code."""
    text = re.sub(r"^<!-- table: .*?^<!-- end", _blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```$", _blank, text, flags=re.MULTILINE | re.DOTALL)
    notes: list[str] = []
    for match in re.finditer(r"(?:^.*\S.*\n?)+", text, re.MULTILINE):
        piece = match[0].strip()
        if piece.startswith("#"):
            notes = []
        elif piece.startswith("Measured:"):
            notes.append(" ".join(piece.split()))
        else:
            yield Piece(piece, text.count("\n", 0, match.start()) + 1, tuple(notes))


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def measured(piece: str) -> bool:
    """Whether figures are in a piece: half of the cells of a table but for its first column, or a sentence of them."""
    if not piece.startswith("|"):
        return bool(SENTENCE.search(" ".join(piece.split())))
    rows = [line.strip("| ").split("|")[1:] for line in piece.splitlines()[2:]]
    cells = [cell.strip() for row in rows for cell in row if cell.strip()]
    return sum(bool(FIGURE.match(cell)) for cell in cells) * 2 >= len(cells) > 0


def wrong(note: str) -> str:
    """What a note lacks."""
    codes = CODE.findall(note)
    known = {*backend.names(), "cupy"}
    if not known & set(codes):
        return "no backend"
    if not MACHINE.search(note):
        return "no machine"
    commands = [shlex.split(code) for code in codes if code.startswith(("recurrency ", "python benchmarks/"))]
    return "" if commands else "no command"


def refuse_unknown(words: list[str]) -> None:
    """Fail if a command of a note does not exist, or has no such option."""
    if words[0] == "recurrency":
        refuse_wrong(words)
        return
    text = (ROOT / words[1]).read_text(encoding="utf-8")
    assert all(f'"{word}"' in text for word in words[2:] if word.startswith("--")), words


@pytest.mark.parametrize("page", PAGES)
def test_measured_figures_name_their_backend_machine_and_command(page: str) -> None:
    found = [piece for piece in pieces((ROOT / page).read_text(encoding="utf-8")) if measured(piece.text)]
    assert found, "there are figures on this page"
    for piece in found:
        assert piece.notes, f"{page}:{piece.line} has figures without a note: {piece.text[:60]}"
    for note in {note for piece in found for note in piece.notes}:
        assert not wrong(note), f"{page}: {wrong(note)} in: {note}"
        for code in CODE.findall(note):
            if code.startswith(("recurrency ", "python benchmarks/")):
                refuse_unknown(shlex.split(code))


def test_a_note_is_for_its_section_alone() -> None:
    text = "# A\n\nMeasured: x\n\n| a | b |\n|---|---|\n| LSTM | 1.5 s |\n\n## B\n\nIt took 3 seconds.\n"
    table, sentence = pieces(text)
    assert (table.notes, sentence.notes, sentence.line) == (("Measured: x",), (), 11)
    assert measured(table.text)
    assert measured(sentence.text)
    assert not measured("| file | what it holds |\n|---|---|\n| `run.toml` | every option |")


@pytest.mark.parametrize(
    ("note", "lack"),
    [
        ("Measured: one thread of an AMD EPYC; `recurrency train jsb`.", "no backend"),
        ("Measured: backend `c`; `recurrency train jsb`.", "no machine"),
        ("Measured: backend `c`, one thread of an AMD EPYC.", "no command"),
        ("Measured: backend `c`, one thread of an AMD EPYC; `recurrency train jsb`.", ""),
    ],
)
def test_what_a_note_lacks_is_told(note: str, lack: str) -> None:
    assert wrong(note) == lack


def test_the_figures_of_training_can_be_made_again() -> None:
    """The commands of the script are those of the pages, and exist."""
    spec = util.spec_from_file_location("figures", ROOT / "benchmarks" / "training.py")
    assert spec is not None
    text = (ROOT / "benchmarks" / "training.py").read_text(encoding="utf-8")
    commands = re.findall(r'"(recurrency train [^"]*)"', text)
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert len(commands) == 7
    for command in commands:
        refuse_wrong(shlex.split(command))
        assert command.removesuffix(" --runs 30") in page, command
