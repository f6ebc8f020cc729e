"""The texts of the shipped cells: how long they are, and how they are found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recurrency.errors import Source
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import library_index

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.rnn"))
LINES = {
    "MultiHeadSLSTM": 30,
    "MultiHeadMLSTM": 30,
    "Mamba2": 30,
    "RWKV7": 30,
    "PhasedLSTM": 24,
    "LMU": 24,
    "EchoState": 24,
    "FSRNN": 24,
}
"""The most lines of a cell, its docstring and blank lines among them."""


@pytest.mark.parametrize("cell", LINES)
def test_a_page_of_equations_is_short(cell: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in SPECS]
    (found,) = (m[0] for text in texts for m in re.finditer(rf"^cell {cell}\b.*?^}}$", text, re.MULTILINE | re.DOTALL))
    assert found.count("\n") + 1 <= LINES[cell]


def test_the_index_has_the_cells_that_parsing_finds() -> None:
    files = [parse_file(Source(path.name, path.read_text(encoding="utf-8"))) for path in SPECS]
    wanted = [(cell.name, file.source.name) for file in files for cell in file.cells]
    assert [(name, path.name) for name, path in library_index().items()] == wanted
