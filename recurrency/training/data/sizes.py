"""The sizes that a file of sequences has, before any spec is compiled for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.csv_rows import NUMBER, lines_of_csv
from recurrency.training.data.npz import SPLITS, read_npz, read_single
from recurrency.training.data.parquet import parquet_lines
from recurrency.training.data.readers import ending
from recurrency.training.data.sequences import Array, Input

TEXTS = Input((), 2**31 - 1)
"""Symbols that are texts: how many there are follows from the sequences to train on."""
Wanted = Mapping[str, int | None]
"""The inputs of a spec: the number of axes of a step, None for symbols."""


def sizes_of(path: str | Path, wanted: Wanted) -> dict[str, Input]:
    """The shape of a step, or the number of symbols, of each input that a file has; what is malformed is left out.

    Raises:
        UsageError: the file cannot be read.
    """
    reader = READERS.get(ending(path))
    return reader(path, wanted) if reader is not None else {}


def _of_table(lines: Sequence[tuple[int, list[str]]], wanted: Wanted) -> dict[str, Input]:
    header = lines[0][1] if lines else []
    out: dict[str, Input] = {}
    for name, axes in wanted.items():
        if axes is None and name in header:
            place = header.index(name)
            cells = {row[place] for _, row in lines[1:] if len(row) > place and row[place]}
            if all(map(NUMBER.fullmatch, cells)):
                out |= _symbols(name, np.array([float(cell) for cell in cells if cell.lower().lstrip("+-") != "nan"]))
            else:
                out[name] = TEXTS
        elif axes is not None:
            found = [m for column in header if (m := re.fullmatch(rf"{re.escape(name)}((?:\.\d+)*)", column))]
            places = [tuple(map(int, m[1].split(".")[1:])) or (0,) * axes for m in found]
            if places and all(len(place) == axes for place in places):
                out[name] = Input(tuple(max(place[k] for place in places) + 1 for k in range(axes)))
    return out


def _of_arrays(arrays: Mapping[str, Array], wanted: Wanted) -> dict[str, Input]:
    out: dict[str, Input] = {}
    for name, axes in wanted.items():
        there = [arrays[key] for key in (name, *(f"{split}_{name}" for split in SPLITS[1:])) if key in arrays]
        if there and axes is None and all(array.dtype.kind in "biu" for array in there):
            out |= _symbols(name, np.concatenate([array.ravel() for array in there]))
        elif there and axes is None and all(array.dtype.kind == "U" for array in there):
            out[name] = TEXTS
        elif there and axes is not None and there[0].ndim in (1 + axes, 2 + axes):
            out[name] = Input(tuple(there[0].shape[there[0].ndim - axes :]))
    return out


def _symbols(name: str, symbols: Array) -> dict[str, Input]:
    """An input of symbols, if these are some."""
    fine = symbols.size and np.isfinite(symbols).all() and (symbols == np.floor(symbols)).all() and symbols.max() >= 0
    return {name: Input((), int(symbols.max()) + 1)} if fine else {}


def _single(path: str | Path, wanted: Wanted) -> dict[str, Input]:
    """The only input of an array; where there are others, the one of real numbers, as labels are in another file."""
    real = {name: axes for name, axes in wanted.items() if axes is not None}
    wanted = wanted if len(wanted) == 1 else real
    return _of_arrays({name: read_single(path) for name in wanted}, wanted) if len(wanted) == 1 else {}


READERS: Mapping[str, Callable[[str | Path, Wanted], dict[str, Input]]] = {
    ".csv": lambda path, wanted: _of_table(lines_of_csv(path), wanted),
    ".parquet": lambda path, wanted: _of_table(parquet_lines(path), wanted),
    ".npz": lambda path, wanted: _of_arrays(read_npz(path), wanted),
    ".npy": _single,
}


def agreed(sizes: Mapping[str, Mapping[str, int]], symbols: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The dimensions that inputs have: `sizes` and numbers of `symbols` by dimension and input.

    Symbols of several inputs may be more in one than in another.

    Raises:
        UsageError: two inputs have another size for one dimension.
    """
    out: dict[str, int] = {}
    for name in dict.fromkeys([*sizes, *symbols]):
        found = dict(sizes.get(name, {}))
        if len(set(found.values())) > 1:
            told = ", ".join(f"{size} in {of}" for of, size in found.items())
            raise UsageError(f"the data do not agree on the dimension {name}: {told}")
        out[name] = next(iter(found.values())) if found else max(symbols[name].values())
    return out
