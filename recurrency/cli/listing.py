"""`recurrency list`."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli.common import echo
from recurrency.errors import visible

if TYPE_CHECKING:
    from recurrency.inspection.catalogue import Entry, Family

EPILOG = """\b
Examples:
  recurrency list
  recurrency list lstm
  recurrency list lstm.rnn
  recurrency list affine
  recurrency list lstm peepholes
  recurrency list gru --json

\b
The number of parameters is a formula: 4 H N + 4 H^2 + 7 H, where H^2 is H times H, with the default functions
and cells of the square brackets.
Recurrence is how the next state depends on the previous one:
  full      through a matrix, or through other units
  diagonal  each unit only on its own past
  affine    linear in the past, plus a term that does not depend on it
  none      there is no state
"""
NARROWEST, WIDEST = 60, 120
"""Bounds on the width of a line, however wide the terminal is."""
HEAD = ("Cell", "Dimensions", "Parameters", "Recurrence")
GAP = 2
"""Between columns, and before the first."""


@click.command("list", epilog=EPILOG)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(words: tuple[str, ...], as_json: bool) -> None:
    """List the shipped cells by family: dimensions, parameters, kind of recurrence, source.

    A family is a file of cells. A WORD selects the family of that name, and the cells with the word in their name,
    source or kind of recurrence; lstm.rnn selects only the family. Several words must all match.
    """
    from recurrency.inspection.catalogue import families

    found = families(words)
    if as_json:
        echo(json.dumps([_data(family) for family in found], indent=2, ensure_ascii=False))
        return
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((100, 24)).columns))
    for line in laid_out(found, width, [word.lower() for word in words]):
        click.echo(line)


def laid_out(found: Sequence[Family], width: int, words: Sequence[str] = ()) -> list[str]:
    """The lines of the list: of a family's prose the first sentence, or all of it if a word names the family."""
    rows = [_row(cell) for family in found for cell in family.cells]
    widths = _widths([HEAD, *rows], width)
    head = [click.style(line, bold=True) for line in _columns(HEAD, widths)]
    lines: list[str] = []
    for family in found:
        whole = any(map(family.is_called, words))
        text = family.prose if whole else family.prose.split(". ")[0].rstrip(".") + "."
        lines += ["", *_filled(f"{family.file}: {text}", width)]
        for cell in family.cells:
            lines += [*_columns(_row(cell), widths), *_filled(cell.doc, width, 3 * GAP)]
    return [*head, *map(visible, lines)]


def _row(cell: Entry) -> tuple[str, ...]:
    """The columns of a cell; non-breaking spaces hold a term of the formula together."""
    dimensions = ", ".join(name + (f"={text}" if text else "") for name, text in cell.dimensions.items())
    count = cell.parameters.replace(" ", "\xa0").replace("\xa0+", " +").replace("\xa0-", " -")
    given = ", ".join(f"{name}={number}" for name, number in cell.numbers.items())
    return cell.name, f"[{dimensions}]", count + (f" with\xa0{given}" if given else ""), cell.kind


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The width of each column; if a line is too long, the widest shrinks, but never the names."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + GAP * len(widths) > width and max(widths[1:]) > 1:
        widths[widths.index(max(widths[1:]), 1)] -= 1
    return widths


def _columns(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row with its texts folded into their columns."""
    texts = [textwrap.wrap(text, width, break_on_hyphens=False) for text, width in zip(row, widths, strict=True)]
    lines = []
    for number in range(max(map(len, texts))):
        parts = [text[number] if number < len(text) else "" for text in texts]
        padded = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
        lines.append((" " * GAP + (" " * GAP).join(padded)).rstrip().replace("\xa0", " "))
    return lines


def _filled(text: str, width: int, indent: int = 0) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * indent, subsequent_indent=" " * indent)


def _data(family: Family) -> dict[str, Any]:
    """A family as JSON has it."""
    cells = [
        {
            "name": cell.name,
            "doc": cell.doc,
            "dimensions": cell.dimensions,
            "parameters": cell.parameters,
            "recurrence": cell.kind,
            "recurrences": [
                {key: value for key, value in asdict(loop).items() if key != "ids"} for loop in cell.recurrences
            ],
        }
        for cell in family.cells
    ]
    return {"family": family.name, "file": family.file, "prose": family.prose, "cells": cells}
