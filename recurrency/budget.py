"""A budget of memory: how it is written, and the longest chunk of steps that is within it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from recurrency.errors import UsageError

if TYPE_CHECKING:
    from recurrency.model import Model

UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size_in_bytes(text: str) -> int:
    """The bytes that a text such as "512 MB" says.

    Raises:
        UsageError: it says none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in UNITS:
        raise UsageError(f'checkpoint is a number of steps from 1, or a budget such as "512 MB", not {text!r}')
    return int(float(found[1]) * UNITS[found[2]])
