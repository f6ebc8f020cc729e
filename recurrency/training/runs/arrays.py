"""The arrays of constants that an experiment names: files, which a run folder keeps copies of."""

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
from recurrency.language.elaboration.handed import FILE, array_of

FOLDER = "spec/arrays"
"""The arrays of a run, in its folder."""


def is_file(value: Any) -> bool:
    """Whether the value of a dimension names a file with an array."""
    return isinstance(value, str) and value.endswith(FILE)


def absolute(dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions whose files are found from any folder."""
    return {name: str(Path(value).resolve()) if is_file(value) else value for name, value in dimensions.items()}


def loaded(dimensions: Mapping[str, Any], folder: Path | None, inside: bool = False) -> dict[str, Any]:
    """Dimensions with arrays instead of files, whose paths are relative to `folder`; `inside`: they must be there.

    Raises:
        UsageError: a file can't be read, holds no such array, or lies elsewhere.
    """
    out: dict[str, Any] = {}
    for name, value in dimensions.items():
        if is_file(value):
            path = (folder or Path()) / value
            if inside and folder is not None and not path.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"the array {value!r} of {name} lies outside of the run folder {folder}")
            value = array_of(name, path)
        out[name] = value
    return out


def kept(path: Path, dimensions: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the arrays into the run folder `path`; returns the dimensions that name the copies."""
    out = dict(dimensions)
    for name, array in arrays.items():
        if isinstance(array, Fixed):
            out[name] = f"{FOLDER}/{quote(name, safe='')}{FILE}"
            data = io.BytesIO()
            np.save(data, array.array)
            (path / FOLDER).mkdir(parents=True, exist_ok=True)
            write_whole(path / out[name], data.getvalue())
    return out
