"""Values of dimensions that name files: arrays of constants, and cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FILE = ".npy"
"""The end of the name of a file with an array, as NumPy writes it."""


def is_file(value: Any) -> bool:
    """Whether a value names a file with an array."""
    return isinstance(value, str | Path) and str(value).endswith(FILE)


def is_cell(value: Any) -> bool:
    """Whether a value names a cell in a file, as in `lem.rnn:LEM`."""
    return isinstance(value, str | Path) and ".rnn" in str(value)
