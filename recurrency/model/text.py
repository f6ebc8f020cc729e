"""The text of a specification, and its record on disk, which saves parsing it again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recurrency.disk import records
from recurrency.errors import RecurrencyError, Source, SpecError, nearest
from recurrency.language.diagnostics import NO_SUCH_CELL, say
from recurrency.language.sources import read_source

if TYPE_CHECKING:
    from recurrency.errors import Diagnostic
    from recurrency.language.elaboration.modules import CellDef


@dataclass(frozen=True)
class Made:
    """The record of a text: the name of its cell, digests of the files it uses, and a digest of all of it together."""

    cell: str
    uses: dict[str, str]
    made_of: str


@dataclass(frozen=True)
class Text:
    """The text of a spec, its path (files that it uses are relative to it), and the name of the cell (None: the last).

    Once it is compiled, its record on disk holds the digests of all files involved. As long as they are the same, the
    text is not parsed again.
    """

    source: Source
    path: Path | None
    cell: str | None

    @property
    def record(self) -> str:
        """The name of the record."""
        return records.key("spec", self.source.name, self.source.text, str(self.path), self.cell)

    def known(self) -> tuple[str, str] | None:
        """The name of the cell and the digest of all that it is made of, if they are remembered and still right."""
        found: Made | None = records.read(Made, self.record) if records.enabled() else None
        if found is None or any(_digest(Path(path)) != digest for path, digest in found.uses.items()):
            return None
        return found.cell, found.made_of

    def parsed(self) -> tuple[CellDef, tuple[Diagnostic, ...], dict[str, str]]:
        """The cell, mistakes in what it uses, and the texts of the files that it uses.

        Raises:
            SpecError: the text is malformed, or has no such cell.
        """
        from recurrency.language.elaboration.modules import Loader, file_of

        loader = Loader()
        file = file_of(self.source)
        module = loader.module(file, self.path)
        names = [c.name for c in file.cells]
        wanted = self.cell or (names[-1] if names else None)
        if wanted not in names:
            raise _missing(self.source, wanted, names)
        uses = {str(path): one.file.source.text for path, one in loader.loaded.items() if path != self.path}
        return module.cells[str(wanted)], tuple(loader.mistakes), uses


def _missing(source: Source, wanted: str | None, names: Sequence[str]) -> SpecError:
    near = nearest(str(wanted), names)
    listed = f"it has {', '.join(names)}" if names else "a cell starts with: cell Name[H](x: [H]) -> (y: [H]) {"
    title = f"{source.name} has no cell {wanted}" if names else f"{source.name} holds no cell"
    return SpecError((say(NO_SUCH_CELL, title, None, help=f"did you mean {near}?" if near else listed),))


def _digest(path: Path) -> str | None:
    """The digest of a file's text; None where it can't be read."""
    try:
        return hashlib.sha256(read_source(path).text.encode()).hexdigest()
    except RecurrencyError:
        return None
