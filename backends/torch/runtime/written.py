"""The program of a module that stands alone: its functions and tables are the module's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .initial import drawn
from .program import PROGRAMS, Port, Program


class Written(Program):
    """A program whose functions were written beforehand."""

    functions: dict[str, Callable[..., dict[str, Tensor]]]
    tapes: dict[str, tuple[Port, ...]]
    initialisers: dict[str, tuple[str, tuple[float, ...]]]
    """Parameter -> the name of its initialiser, and the arguments."""

    def function(self, kind: str, like: Tensor) -> Callable[..., dict[str, Tensor]]:
        """See `Program`."""
        return self.functions[kind]

    def tape(self, mode: str) -> tuple[Port, ...]:
        """See `Program`."""
        return self.tapes[mode]

    def initial(self, seed: int) -> dict[str, Tensor]:
        """See `Program`: drawn by torch, under seeds of their own."""
        return {
            name: drawn(name, *self.initialisers[name], shape, seed) for name, (_, shape) in self.parameters.items()
        }

    def __reduce__(self) -> Any:
        return written, (self.key,)


def written(key: str) -> Program:
    """The program of this module, for `pickle`."""
    return PROGRAMS[key]
