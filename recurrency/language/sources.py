"""Texts of specs: files, and the shipped cells by name. No text is parsed twice for this."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from recurrency.disk import records
from recurrency.errors import Source, UsageError

MOST_BYTES = 4_000_000
"""Bytes that are read of a file: more than an accepted text can have."""


def read_source(path: Path | str) -> Source:
    """The text of a file under its name. Raises `UsageError` if it cannot be read, `SpecError` if it is not UTF-8."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    return decoded(str(path), data)


def decoded(name: str, data: bytes) -> Source:
    """The text of these bytes. Raises `SpecError` if it is too long or not UTF-8."""
    if len(data) > MOST_BYTES:
        from recurrency.language.reading.parser import refuse_length

        refuse_length(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        from recurrency.language.reading.parser import refuse_encoding

        refuse_encoding(name, data, error)
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))


HEAD = re.compile(r"^cell (\w+)[\[(]", re.MULTILINE)
"""The beginning of a cell in a shipped file, which is in canonical layout."""

_INDEX: dict[str, Path] = {}


def library_index() -> dict[str, Path]:
    """The shipped cells, by name, with the file of each."""
    if not _INDEX:
        folder = Path(str(resources.files("recurrency.specs")))
        found = records.remembered(dict[str, str], lambda: _indexed(folder), "library")
        _INDEX.update({cell: folder / file for cell, file in found.items()})
    return _INDEX


def _indexed(folder: Path) -> dict[str, str]:
    """The names of the files, by those of their cells.

    The heads of the cells are found by their form, which takes a hundredth of the time of reading the files.
    """
    paths = sorted(folder.glob("*.rnn"))
    return {name: path.name for path in paths for name in HEAD.findall(path.read_text(encoding="utf-8"))}
