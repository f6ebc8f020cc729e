"""How C finds the memory of NumPy's arrays: by the buffer protocol, or, where Python has no C API, through ctypes.

Compiled code gets the functions of the C API as pointers: it needs no headers, and no knowledge of the layout of
objects. That costs 0.2 microseconds a call with two arrays, and 0.4 with ten.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

API = (
    "PyTuple_GetItem",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
)
"""The functions in `struct python` of `pool`."""

HEAD = 7
"""Numbers in a request before those of its arrays."""


def functions() -> Any:
    """The addresses of `API`, or None where Python has no C API."""
    if sys.implementation.name != "cpython":
        return None
    found = [ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in API]
    return (ctypes.c_uint64 * len(found))(*found)


def wanted(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The size of an element, and the letter of its type in a buffer."""
    return dtype.itemsize, ord(dtype.char)


def plain(compute: Callable[[int], int]) -> Callable[[int, tuple[Array, ...]], int]:
    """`enter` of `pool` in Python; `compute` is its part after the arrays."""

    def enter(address: int, held: tuple[Array, ...]) -> int:
        words = (ctypes.c_uint64 * (HEAD + 3 * len(held))).from_address(address)
        for k, array in enumerate(held):
            place, size, letter = words[HEAD + 3 * k : HEAD + 3 * k + 3]
            fits = array.dtype.isnative and wanted(array.dtype) == (size, letter)
            if not (fits and array.flags.c_contiguous and array.flags.aligned):
                return -1 - k
            ctypes.c_uint64.from_address(place).value = array.ctypes.data
        return compute(address)

    return enter
