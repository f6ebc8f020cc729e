"""The program of a module file: its functions and tables are in the same file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .initial import drawn
from .program import PROGRAMS, Port, Program


class Written(Program):
    """A program whose functions are in the same file."""

    functions: dict[str, Callable[..., dict[str, Tensor]]]
    tapes: dict[str, tuple[Port, ...]]
    initialisers: dict[str, tuple[str, tuple[float, ...]]]
    """Parameter -> the name of its initialiser, and its arguments."""

    def function(self, kind: str, like: Tensor) -> Callable[..., dict[str, Tensor]]:
        """See `Program`."""
        return self.functions[kind]

    def tape(self, mode: str) -> tuple[Port, ...]:
        """See `Program`."""
        return self.tapes[mode]

    def initial(self, seed: int) -> dict[str, Tensor]:
        """See `Program`: drawn by torch, so not the values of `Model.init`."""
        return {
            name: drawn(name, *self.initialisers[name], shape, seed) for name, (_, shape) in self.parameters.items()
        }

    def __reduce__(self) -> Any:
        return written, (self.key,)


def written(key: str) -> Program:
    """The program with a key, for `pickle`."""
    return PROGRAMS[key]
