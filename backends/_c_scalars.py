"""Numbers and element-wise operations in C: as for CUDA, but with functions that a compiler can vectorise."""

from __future__ import annotations

from recurrency.backends._c_math import FUNCTIONS
from recurrency.backends._scalar_c import Scalars


class CScalars(Scalars):  # type: ignore[misc]  # its types are checked under the folder's name
    """The numbers of one dtype in C."""

    def call(self, op: str, *args: str) -> str:
        """An operation on arguments that are names or literals."""
        return str(self.text(FUNCTIONS[op]).format(*args))
