"""Fixed arrays in generated C and CUDA."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .function import Function
from .scalars import Scalars

IN_A_LINE = 6
"""Numbers in a line."""


def fixed_text(functions: Iterable[Function[Any, Any]], dtype: str, storage: str) -> str:
    """The definitions of the fixed arrays that some functions read, each once; "" if there are none."""
    scalars = Scalars(dtype)
    found = {name: array for f in functions for name, array in f.launches.source.fixed.items()}
    lines: list[str] = []
    for name, array in found.items():
        with np.errstate(over="ignore"):
            values = array.array.astype(dtype).ravel().tolist()
        words = [scalars.literal(value) for value in values]
        rows = (words[k : k + IN_A_LINE] for k in range(0, len(words), IN_A_LINE))
        lines += [f"{storage} const {scalars.real} {name}[{len(words)}] = {{"]
        lines += [*(f"    {', '.join(row)}," for row in rows), "};", ""]
    return "\n".join(lines)
