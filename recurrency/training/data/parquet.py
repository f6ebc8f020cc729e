"""A user's data in a .parquet file: the table of a .csv file, read by pyarrow or pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.training.data.csv_rows import Line, read_table
from recurrency.training.data.rows import PLAIN, How
from recurrency.training.data.sequences import InputPort, Sequences


def needed() -> UsageError:
    """What is said where pyarrow is missing."""
    return UsageError(f"a .parquet file is read and written by pyarrow: {install('parquet')}")


def read_parquet(path: str | Path, ports: Mapping[str, InputPort], how: How = PLAIN) -> dict[str, Sequences]:
    """The splits of a .parquet file with the columns of a .csv file (`csv_rows`); rows are counted like lines there.

    Raises:
        UsageError: pyarrow is missing, the file cannot be read, a column is missing, or a row does not fit.
    """
    return read_table(path, parquet_lines(path), ports, how)


def parquet_lines(path: str | Path) -> list[Line]:
    """The rows of a .parquet file, with numbers as in a .csv file of the same table.

    Raises:
        UsageError: pyarrow is missing, or the file cannot be read.
    """
    columns = _columns(path)
    rows = zip(*columns.values(), strict=True)
    return [(1, list(columns)), *((line, list(row)) for line, row in enumerate(rows, 2))]


def _columns(path: str | Path) -> dict[str, list[str]]:
    """The cells of each column, as a .csv file would hold them."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise needed() from error
    try:
        table = pyarrow.parquet.read_table(str(path))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UsageError(f"cannot read {path} as a .parquet file: {error}") from error
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    return {name: _cells(table.column(name).to_pylist()) for name in names}


def _cells(values: Iterable[Any]) -> list[str]:
    """Values as text; truth values are 0 and 1."""
    return ["" if value is None else str(int(value)) if isinstance(value, bool) else str(value) for value in values]
