"""Which cases of a large table `make test` runs; the others are long and for `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def diagonal(rows: Iterable[Any], columns: Sequence[Any]) -> list[Any]:
    """All pairs of a row and a column, as parameters. One pair of each row is usual, with the columns in turn."""
    return [
        pytest.param(
            row, column, id=f"{row}-{column}", marks=() if number % len(columns) == place else pytest.mark.long
        )
        for number, row in enumerate(rows)
        for place, column in enumerate(columns)
    ]
