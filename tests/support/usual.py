"""Which cases of a large table `make test` runs; the others are long and for `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def diagonal(rows: Iterable[Any], columns: Sequence[Any], every: int = 1) -> list[Any]:
    """All pairs of a row and a column, as parameters. One pair of every so many rows is usual, with columns in turn."""
    return [
        pytest.param(row, column, id=f"{row}-{column}", marks=_marks(number % (every * len(columns)) == every * place))
        for number, row in enumerate(rows)
        for place, column in enumerate(columns)
    ]


def some(rows: Iterable[Any], every: int) -> list[Any]:
    """All rows, as parameters. The first of every so many is usual."""
    return [pytest.param(row, id=str(row), marks=_marks(number % every == 0)) for number, row in enumerate(rows)]


def _marks(usual: bool) -> Any:
    return () if usual else pytest.mark.long
