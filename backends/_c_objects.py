"""Where objects of Python and of NumPy have what C reads of them, found by looking at some."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

WANTED = 0x101
"""Flags of NumPy: contiguous, and at a multiple of the size of an element."""


@cache
def places() -> tuple[int, ...]:
    """The numbers of `at` in `struct request` of `_c_pool`.

    Raises:
        RuntimeError: they are not where all versions of CPython and NumPy have them.
    """
    array, dtype = np.empty(3, np.float32), np.dtype(np.float32)
    items = tuple.__basicsize__
    type_ = _place(array, id(np.ndarray), 4)
    data = _place(array, array.ctypes.data, 16)
    found = _place(array, id(dtype), 16)
    flags = found + 8
    looks = (array, np.empty((3, 2), np.float32)[:, 0], np.empty(9, np.int8)[1:].view(np.float32))
    if any(ctypes.c_int.from_address(id(one) + flags).value != one.flags.num for one in looks):
        raise RuntimeError(UNKNOWN)
    if ctypes.c_void_p.from_address(id(looks) + items).value != id(array):
        raise RuntimeError(UNKNOWN)
    return items, type_, data, found, flags, WANTED, id(np.ndarray)


UNKNOWN = "this Python or NumPy has another layout in memory than all others"


def _place(array: Array, wanted: int, words: int) -> int:
    """Where in an object an address stands."""
    for place in range(0, 8 * words, 8):
        if ctypes.c_void_p.from_address(id(array) + place).value == wanted:
            return place
    raise RuntimeError(UNKNOWN)
