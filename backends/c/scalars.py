"""Numbers and element-wise operations in C: as for CUDA, but with functions that a compiler can vectorise."""

from __future__ import annotations

from ..kernels.scalars import Scalars
from .math import FUNCTIONS


class CScalars(Scalars):
    """The numbers of one dtype in C."""

    def call(self, op: str, *args: str) -> str:
        """An operation on arguments that are names or literals."""
        return str(self.text(FUNCTIONS[op]).format(*args))
