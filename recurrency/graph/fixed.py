"""Arrays that are fixed when a cell is compiled, as values that can be compared, hashed and printed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from recurrency.graph.dimensions import Dim

GREATEST_FIXED = 1 << 22
"""Bound on the elements of all fixed arrays of a cell together: generated code contains them."""


@dataclass(frozen=True)
class Fixed:
    """A fixed array: its shape, its float64 elements as bytes (in C order, little-endian), or what it is called.

    While a spec is checked with dimensions as units there are no elements: `data` is None, and `name` says which array
    it is.
    """

    shape: tuple[Dim, ...]
    data: bytes | None = field(repr=False)
    name: str = ""

    @classmethod
    def of(cls, array: NDArray[np.float64]) -> Fixed:
        """The elements of an array."""
        return cls(array.shape, np.ascontiguousarray(array, "<f8").tobytes())

    @property
    def array(self) -> NDArray[np.float64]:
        """The elements, read-only, [*shape]."""
        assert self.data is not None
        return np.frombuffer(self.data, "<f8").reshape([size for size in self.shape if isinstance(size, int)])

    @property
    def elements(self) -> int:
        """The number of elements; a symbolic dimension counts as 1."""
        return prod(size for size in self.shape if isinstance(size, int))

    @cached_property
    def digest(self) -> str:
        """A digest of shape and elements; of arrays without elements, the name."""
        if self.data is None:
            return self.name
        return hashlib.sha256(repr(self.shape).encode() + self.data).hexdigest()[:32]

    @property
    def word(self) -> str:
        """What it is called in generated code."""
        return f"array_{self.digest[:16]}"

    def __str__(self) -> str:
        return self.digest

    def __repr__(self) -> str:
        return f"Fixed({self.shape}, {self.digest!r})"
