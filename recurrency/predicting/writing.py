"""Predictions as files: a table with a row for each step, or arrays."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from recurrency.disk.files import require_file, write_whole
from recurrency.errors import UsageError
from recurrency.training.data.csv_rows import SEQUENCE
from recurrency.training.data.parquet import needed
from recurrency.training.data.sequences import Array


class Results(Protocol):
    """What is written: see `recurrency.predicting.predictions.Predictions`."""

    @property
    def values(self) -> Mapping[str, Sequence[Array]]: ...
    @property
    def clocks(self) -> Mapping[str, str | None]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def first(self) -> Array: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    def padded(self) -> dict[str, Array]: ...


STEP, FIRST = "step", "first"


def require_writable(path: str | Path) -> None:
    """Check, before anything is computed, that predictions can be written to a file.

    Raises:
        UsageError: the end of its name is not one of `WRITERS`, or it can't be created.
    """
    if Path(path).suffix not in WRITERS:
        raise UsageError(f"predictions are written as {', '.join(WRITERS)}; {path} ends in none of these")
    require_file(path)


def write(found: Results, path: str | Path) -> None:
    """Write predictions to a file.

    Raises:
        UsageError: the name has another end, the file can't hold them, or can't be written.
    """
    require_writable(path)
    write_whole(path, WRITERS[Path(path).suffix](found))


def columns(found: Results) -> dict[str, Array]:
    """The columns of a table: `sequence`, `step` where there are steps, and one for each element of each value.

    Values of whole sequences are repeated at each step.

    Raises:
        UsageError: the values run over several clocks.
    """
    _check_names(found, SEQUENCE, STEP)
    clocks = sorted({clock for clock in found.clocks.values() if clock is not None})
    if len(clocks) > 1:
        raise UsageError(f"the values run over the clocks {', '.join(clocks)}; write them to an .npz file: -o FILE.npz")
    counts = _counts(found)
    out: dict[str, Array] = {SEQUENCE: np.repeat(np.array(found.names), counts)}
    if clocks:
        pairs = zip(found.first.tolist(), counts, strict=True)
        out[STEP] = np.concatenate([np.arange(first, first + count) for first, count in pairs])
    for name, rows in found.values.items():
        whole = found.clocks[name] is None
        array = np.concatenate([np.repeat(r[None], n, 0) if whole else r for r, n in zip(rows, counts, strict=True)])
        flat = array.reshape(len(array), -1)
        out |= {column: flat[:, number] for number, column in enumerate(_elements(name, array.shape[1:]))}
    return out


def _counts(found: Results) -> list[int]:
    """The number of rows of each sequence."""
    streams = [rows for name, rows in found.values.items() if found.clocks[name] is not None]
    return [len(row) for row in streams[0]] if streams else [1] * len(found.names)


def _elements(name: str, shape: tuple[int, ...]) -> Iterator[str]:
    """The columns of a value, as data files have them."""
    for place in np.ndindex(*shape):
        yield name if np.prod(shape, dtype=int) == 1 else ".".join([name, *map(str, place)])


def table(found: Results) -> str:
    """The text of a .csv file; numbers are written with as many digits as tell them from all others of their type."""
    text = io.StringIO()
    cells = columns(found)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(cells)
    shown = [column.astype(str).tolist() for column in cells.values()]
    writer.writerows(zip(*shown, strict=True))
    return text.getvalue()


def _parquet(found: Results) -> bytes:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise needed() from error
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns(found)), out)
    return out.getvalue()


def _npz(found: Results) -> bytes:
    padded = found.padded()
    _check_names(found, SEQUENCE, FIRST, *(name for name in padded if name not in found.values))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, array in {**padded, SEQUENCE: np.array(found.names), FIRST: found.first}.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asarray(array), allow_pickle=False)
    return out.getvalue()


def _check_names(found: Results, *own: str) -> None:
    """Refuse values that are called like what a file has besides them."""
    for name in own:
        if name in found.values:
            raise UsageError(f"the value {name} has the name of what a file of predictions has anyway; rename it")


def _npy(found: Results) -> bytes:
    arrays = {name: array for name, array in found.padded().items() if name in found.outputs}
    lengths = {len(row) for name in arrays for row in found.values[name] if found.clocks[name] is not None}
    if len(arrays) != 1 or len(lengths) > 1:
        why = f"the outputs {', '.join(arrays)}" if len(arrays) != 1 else "sequences of unequal length"
        raise UsageError(f"an .npy file holds one array, but there are {why}: write an .npz file")
    out = io.BytesIO()
    np.save(out, next(iter(arrays.values())), allow_pickle=False)
    return out.getvalue()


WRITERS: Mapping[str, Callable[[Results], bytes | str]] = {
    ".csv": table,
    ".parquet": _parquet,
    ".npz": _npz,
    ".npy": _npy,
}
"""How predictions are written, by the end of the file's name."""
