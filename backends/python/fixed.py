"""Fixed arrays in generated Python modules."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from recurrency.graph.fixed import Fixed

from .dialect import Dialect
from .frame import Frame
from .module import folded

READABLE = 256
"""Larger arrays are base64 text instead of nested lists."""


def fixed_text(functions: Iterable[Frame], dialect: Dialect) -> str:
    """The statements that make the fixed arrays of some functions, each once."""
    arrays = {name: array for function in functions for name, array in function.fixed.items()}
    lines = [f"{name} = {dialect.fixed(_elements(array), array)}" for name, array in arrays.items()]
    return "\n".join(short for line in lines for short in folded(line))


def _elements(array: Fixed) -> str:
    if array.elements <= READABLE:
        return _listed(array.array.tolist())
    assert array.data is not None
    return f'"{b64encode(array.data).decode()}"'


def _listed(value: Any) -> str:
    return f"[{', '.join(map(_listed, value))}]" if isinstance(value, list) else repr(value)
