"""The CuPy backend on a stand-in for cupy: the same driver and kernel text, on a machine without a GPU.

For tests and for `recurrency verify`: it is slow, and only used by its full name.
"""

from __future__ import annotations

from ..backend import CupyBackend
from .compiler import obstacle
from .stand_in import stand_in


class EmulatedBackend(CupyBackend):
    """Runs wherever there is a C++ compiler."""

    def available(self) -> str | None:
        """Why this backend cannot run here, or None."""
        reason: str | None = obstacle()
        return reason


backend = EmulatedBackend(name="cupy-emulated", load=stand_in)
