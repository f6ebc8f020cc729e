"""Parameters as constants in a file of C: programs need no other file."""

from __future__ import annotations

import re
from math import prod

import numpy as np

from recurrency.graph.op import Array

from .module import Interface
from .naming import commented

IN_A_LINE = 6
"""Numbers in a line."""


def weights_text(interface: Interface) -> str:
    """The definition of the array that an interface declares, if any, with the name of each parameter."""
    export = interface.export
    if export.weights is None:
        return ""
    values = np.asarray(export.weights, export.dtype)
    lines = ["", f"{interface.weights} = {{"]
    for name, (offset, shape) in sorted(export.layout.entries.items(), key=lambda item: item[1][0]):
        lines += [f"    {commented(f'{name} {list(shape)}')}", *_rows(values[offset : offset + prod(shape)])]
    return "\n".join([*lines, "};", ""])


def _rows(values: Array) -> list[str]:
    suffix = "f" if values.dtype == np.float32 else ""
    words = [f"{literal(value)}{suffix}" for value in values.tolist()]
    rows = (words[k : k + IN_A_LINE] for k in range(0, len(words), IN_A_LINE))
    return [f"        {', '.join(row)}," for row in rows]


def literal(value: float) -> str:
    """A finite number as a hexadecimal literal of C99, which a compiler reads back exactly."""
    return re.sub(r"\.?0*p", "p", value.hex())
