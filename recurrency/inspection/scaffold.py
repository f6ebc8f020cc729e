"""The text of a new file with one cell: a copy of another cell with all that it uses, or a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recurrency import library
from recurrency.errors import RecurrencyError, Source, Span, UsageError
from recurrency.language import syntax
from recurrency.language.elaboration.modules import CellDef, Module
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import library_index
from recurrency.language.vocabulary.table import FUNCTIONS
from recurrency.language.words import lex
from recurrency.language.writing.format import format_file
from recurrency.model.spec import Spec, from_source

TEMPLATE = '''\
# A cell to start from: change what you like. `recurrency check` finds mistakes in this file, `recurrency show` prints
# shapes and parameters and draws the cell, and `recurrency list` shows cells to copy from.

cell NAME[N, H](x: [N]) -> (h: [H]) {
    """What this cell is, and the paper it comes from."""

    # Parameters, which are learned: shape and initial value. N and H get numbers later; they are two different units.
    param W_g, W_c : [H, N] ~ glorot_uniform
    param U_g, U_c : [H, H] ~ orthogonal
    param b_g, b_c : [H]    ~ zeros

    # State, which is kept from step to step: shape, and value before the first step.
    state h : [H] = 0

    # The equations of a step, in any order. h[t-1] is h one step before, @ is the matrix product.
    g = sigmoid(W_g @ x + U_g @ h[t-1] + b_g)  # a gate: 1 keeps the old value, 0 takes the new one
    c = tanh(W_c @ x + U_c @ h[t-1] + b_c)
    h = g * h[t-1] + (1 - g) * c
}
'''


def started(name: str, path: Path, origin: Spec | None = None) -> str:
    """The formatted and checked text of a file with a cell `name`: a copy of `origin`, or the template.

    Raises:
        UsageError: no cell can have this name, or the copy would need a file from another folder.
        SpecError: the original has mistakes.
    """
    refuse_name(name)
    if origin is None:
        text = TEMPLATE.replace("NAME", name)
    else:
        origin.check(all_cells=False)
        text = _Copy(origin.definition, name, path).text()
    text = format_file(text, path.name)
    from_source(Source(path.name, text), path.resolve(), name).check()
    return text


def refuse_name(name: str) -> None:
    """Refuse a name that a new cell can't have.

    Raises:
        UsageError: no cell can have this name; the message says why.
    """
    if name in library.names():
        help = f"recurrency new My{name} --from {name}"
        raise UsageError(f"{name} is a shipped cell, and one of yours needs another name, as in: {help}")
    if name in FUNCTIONS:
        raise UsageError(f"{name} is a function of the language; give the cell another name")
    if name.endswith(".rnn"):
        stem = Path(name).stem
        raise UsageError(
            f"{name} is the name of a file; pass the name of the cell, as in: recurrency new {stem} -o {name}"
        )
    if not name.isidentifier():
        other = re.sub(r"\W+", "_", name).strip("_")
        help = f"; {other} can" if other.isidentifier() else ""
        raise UsageError(f"{name!r} can't be the name of a cell: only letters, digits and _, no digit first{help}")
    try:
        (cell,) = parse_file(Source("<name>", f"cell {name}[H](x: [H]) -> (y: [H]) {{ y = x }}")).cells
    except RecurrencyError:
        raise UsageError(f"{name} can't be the name of a cell: the language needs the word for itself") from None
    if cell.name != name:
        raise UsageError(f"{name} can't be the name of a cell, since it is read as {cell.name}")


@dataclass
class _Copy:
    """A copy of a cell for another file. The names in it lead to the functions and cells that are copied with it."""

    origin: CellDef
    name: str
    path: Path
    functions: set[str] = field(default_factory=set)
    cells: set[str] = field(default_factory=set)
    """Other cells of the same file, which are copied as well."""
    used: dict[str, Path | None] = field(default_factory=dict)
    """Cells of other files, with their file (None: the library)."""

    @property
    def module(self) -> Module:
        return self.origin.module

    def text(self) -> str:
        """The whole text, before formatting."""
        self._note_needs()
        if self.name in {*self.functions, *self.cells, *self.used}:
            raise UsageError(f"{self.origin.cell.name} uses {self.name}; give the copy another name")
        source = self.module.file.source.name
        place = f"{source} of the library" if _shipped(self.origin) else source
        head = f"# {self.name} starts as a copy of {self.origin.cell.name} ({place})."
        pieces = [head, "\n".join(self._use_lines()), *self._definitions(), self._renamed()]
        return "\n\n".join(piece for piece in pieces if piece)

    def _note_needs(self) -> None:
        """Collect all functions and cells that the cell uses, directly or through others."""
        later: list[syntax.Cell | syntax.Fn] = [self.origin.cell]
        while later:
            for node in syntax.walk(later.pop()):
                name = node.name if isinstance(node, syntax.Name) else ""
                if name in self.module.functions and name not in self.functions:
                    self.functions.add(name)
                    later.append(self.module.functions[name])
                elif name in self.module.cells and name not in self.cells:
                    later += self._note_cell(name, self.module.cells[name])

    def _note_cell(self, name: str, definition: CellDef) -> list[syntax.Cell]:
        """Note where a cell comes from, and return it if it is copied."""
        if definition.module is self.module and not _shipped(definition):
            self.cells.add(name)
            return [definition.cell]
        self.used[name] = None if _shipped(definition) else definition.module.path
        return []

    def _use_lines(self) -> Iterator[str]:
        for path in dict.fromkeys(self.used.values()):
            names = ", ".join(name for name, place in self.used.items() if place == path)
            yield f"use {names} from {'library' if path is None else self._quoted(path)}"

    def _quoted(self, path: Path) -> str:
        """The path of a file in a `use` line of the new file: in the same folder, or below."""
        folder = self.path.resolve().parent
        if not path.is_relative_to(folder):
            at = self.module.path.parent if self.module.path else folder
            raise UsageError(
                f"{self.origin.cell.name} uses {path.name}, which a file in {folder} can't: a file can only use "
                f"files in its folder or below; write the copy there: -o {at / self.path.name}"
            )
        return f'"{path.relative_to(folder).as_posix()}"'

    def _definitions(self) -> list[str]:
        """The functions and cells that are copied along, in their order, with the comments above them."""
        file = self.module.file
        found: list[syntax.Fn | syntax.Cell] = [fn for fn in file.functions if fn.name in self.functions]
        found += [cell for cell in file.cells if cell.name in self.cells]
        return [_with_comments(file, piece.span) for piece in sorted(found, key=lambda piece: piece.span.start)]

    def _renamed(self) -> str:
        """The cell under its new name."""
        span = self.origin.cell.span
        word = next(word for word in lex(span.text) if word.type == "NAME")
        text = _with_comments(self.module.file, span)
        at = text.index(span.text) + (word.start_pos or 0)
        return text[:at] + self.name + text[at + len(word) :]


def _shipped(definition: CellDef) -> bool:
    return library_index().get(definition.cell.name) == definition.module.path


def _with_comments(file: syntax.File, span: Span) -> str:
    """A definition with the comments above it (but not the comment at the top of the file) and after it."""
    text = file.source.text
    others = [piece.span.end for part in (file.uses, file.functions, file.cells) for piece in part]
    start = max((end for end in others if end <= span.start), default=0)
    above = text[start : span.start].split("\n")
    del above[0 : 1 if start else _head(above)]
    behind = text[span.end :].split("\n")[0].strip()
    return "\n".join(above).lstrip("\n") + span.text + (f"  {behind}" if behind.startswith("#") else "")


def _head(lines: list[str]) -> int:
    """The number of lines of the comment at the top of a file; a comment directly above a definition belongs to it."""
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return 0 if count == len(lines) - 1 else count
