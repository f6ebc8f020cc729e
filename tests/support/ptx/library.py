"""Compiles kernel texts with NVRTC and interprets the PTX: for the stand-in for cupy, which otherwise uses g++."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial

from recurrency.backends.cupy.check import assembly
from recurrency.backends.cupy.emulated.margins import Use
from recurrency.backends.cupy.emulated.signature import signatures

from tests.support.ptx.machine import Machine, Region
from tests.support.ptx.text import parsed

_libraries: weakref.WeakValueDictionary[str, PtxLibrary] = weakref.WeakValueDictionary()


class PtxLibrary:
    """The kernels of a text, as PTX."""

    def __init__(self, code: str) -> None:
        self.kernels = {kernel.name: kernel for kernel in signatures(code)}
        self._module = parsed(assembly(code))

    def launcher(self, name: str) -> partial[None]:
        """See `recurrency.backends.cupy.emulated.compiler.Library`."""
        return partial(self._launch, name)

    def _launch(self, name: str, shape: Sequence[int], _: int, values: Sequence[int], uses: Sequence[Use]) -> None:
        regions = [Region(u.name, u.block.address + u.start, u.block.memory[u.start : u.stop], u.written) for u in uses]
        entry = self._module.entries[name]
        Machine(entry, shape, values[: len(entry.parameters)], regions, self._module.constants).run()


def ptx_library(code: str) -> PtxLibrary:
    """The library of a kernel text, compiled when it is first asked for.

    Raises:
        UsageError: NVRTC is not installed, or refuses the text. NotImplementedError: see `signatures`.
    """
    found = _libraries.get(code)
    if found is None:
        found = _libraries[code] = PtxLibrary(code)
    return found
