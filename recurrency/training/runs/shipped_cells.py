"""Shipped cells that have changed since a run was trained: its parameters belong to the equations of its time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurrency.errors import SpecError, UsageError
from recurrency.language import syntax
from recurrency.language.elaboration.modules import CellDef, Module
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import library_index, read_source
from recurrency.model.spec import Spec
from recurrency.training.runs.folders import LIBRARY, RunFolder

WORD = re.compile(r"\w+")


def changed_cells(folder: RunFolder, spec: Spec, dimensions: Mapping[str, Any]) -> list[str]:
    """The shipped cells and functions that a run uses and that are not as they were, by the copies in its folder.

    Comments, layout and docstrings do not count. A copy that can't be read any more has changed.
    """
    from recurrency import library

    shipped = set(library_index().values())
    named = [library.spec(v) for v in dimensions.values() if isinstance(v, str) and v in library_index()]
    used = {id(part): (part, module) for root in (spec, *named) for part, module in _used(root.definition)}
    out = []
    for part, module in used.values():
        path = module.path if module.path in shipped else None
        copy = None if path is None else folder / "spec" / LIBRARY / path.name
        if copy is not None and copy.is_file() and _plain(part) not in _copied(copy):
            out.append(part.name)
    return out


def check_shipped(folder: RunFolder, spec: Spec, dimensions: Mapping[str, Any]) -> None:
    """Refuse parameters that were trained with other equations than those of the shipped cells of today.

    Raises:
        UsageError: a cell has changed; the message says how to use the old one.
    """
    changed = changed_cells(folder, spec, dimensions)
    if changed:
        raise UsageError(
            f"{', '.join(changed)} of the library has changed since this run was trained, so its parameters belong to "
            f'other equations; to use the old ones, write `use ... from "{LIBRARY}/FILE.rnn"` in {folder / "spec"}'
        )


def _used(first: CellDef) -> Iterator[tuple[syntax.Cell | syntax.Fn, Module]]:
    """A cell and all cells and functions that it uses, each with its module."""
    later: list[tuple[syntax.Cell | syntax.Fn, Module]] = [(first.cell, first.module)]
    seen: set[int] = set()
    while later:
        part, module = later.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part, module
        words = set(WORD.findall(part.span.text))
        later += [(cell.cell, cell.module) for name, cell in module.cells.items() if name in words]
        later += [(function, module) for name, function in module.functions.items() if name in words]


def _plain(part: syntax.Cell | syntax.Fn) -> syntax.Cell | syntax.Fn:
    """A cell without its docstring; spans do not count in comparisons."""
    return replace(part, doc=None) if isinstance(part, syntax.Cell) else part


def _copied(path: Path) -> list[syntax.Cell | syntax.Fn]:
    """The cells and functions of a copy."""
    try:
        file = parse_file(read_source(path))
    except SpecError:
        return []
    parts: list[syntax.Cell | syntax.Fn] = [*file.cells, *file.functions]
    return [*map(_plain, parts)]
