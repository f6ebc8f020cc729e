"""The files that the dimensions of an experiment name: arrays and cells, of which a run folder keeps copies."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.graph.fixed import Fixed
from recurrency.language.elaboration.handed import array_of
from recurrency.language.given_files import FILE, is_cell, is_file

FOLDER = "spec/arrays"
"""The arrays of a run, in its folder."""


def absolute(dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions whose files are found from any folder."""
    named = {name: value for name, value in dimensions.items() if is_file(value) or is_cell(value)}
    return {**dimensions, **{name: str(Path(value).resolve()) for name, value in named.items()}}


def loaded(dimensions: Mapping[str, Any], folder: Path | None, inside: bool = False) -> dict[str, Any]:
    """Dimensions with arrays instead of files, and with whole paths of cells.

    Paths are relative to `folder`; `inside`: they must be there.

    Raises:
        UsageError: a file can't be read, holds no such array, or lies elsewhere.
    """
    out: dict[str, Any] = {}
    for name, value in dimensions.items():
        if is_file(value) or is_cell(value):
            path = (folder or Path()) / value
            if inside and folder is not None and not path.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"the file {value!r} of {name} lies outside of the run folder {folder}")
            value = array_of(name, path) if is_file(value) else str(path)
        out[name] = value
    return out


def kept(path: Path, dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the arrays among dimensions into the run folder `path`; returns the dimensions that name the copies."""
    out = dict(dimensions)
    for name, array in dimensions.items():
        if isinstance(array, Fixed):
            out[name] = f"{FOLDER}/{quote(name, safe='')}{FILE}"
            data = io.BytesIO()
            np.save(data, array.array)
            (path / FOLDER).mkdir(parents=True, exist_ok=True)
            write_whole(path / out[name], data.getvalue())
    return out
