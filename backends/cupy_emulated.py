"""The CuPy backend on a stand-in for cupy: the same driver and kernel text, on a machine without a GPU.

For tests and for `recurrency verify`: it is slow, and found only by its own name.
"""

from __future__ import annotations

from recurrency.backends._emulated_compiler import obstacle
from recurrency.backends._emulated_cupy import stand_in
from recurrency.backends.cupy import CupyBackend


class EmulatedBackend(CupyBackend):  # type: ignore[misc]  # its types are checked under the folder's name
    """Runs wherever there is a C++ compiler."""

    def available(self) -> str | None:
        """Why this backend can not run here; None: it can."""
        reason: str | None = obstacle()
        return reason


backend = EmulatedBackend(name="cupy-emulated", load=stand_in)
