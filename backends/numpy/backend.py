"""The NumPy backend: it writes a program as a readable module of NumPy calls, and executes that text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.graph.graph import Graph
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.footprint import Footprint
from recurrency.program.layout import Layout
from recurrency.program.schedule import schedule

from ..names import ascii_name
from ..python.fixed import fixed_text
from ..python.function import Function
from ..python.interface import calls, tables
from ..python.module import assembled, docstring, executed, import_line
from .dialect import Numpy
from .helpers import HELPERS
from .interface import ARRAYS
from .memory import Allocations
from .ops import FUNCTIONS

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.model.export import Export

Array = np.ndarray[Any, np.dtype[Any]]

GUIDE = """
A program calls `forward`, `backward` and `step`{loss}.
The equations are in {passes}.
Names that end in `_` are those of the specification. What comes after these functions is the same in all modules.
"""


class Built:
    """A generated function (see `recurrency.backend.Runner`) and its source."""

    def __init__(self, function: Callable[..., dict[str, Array]], source: str, written: Function, dtype: str) -> None:
        self.function, self.source, self.written, self.real = function, source, written, np.dtype(dtype)

    def __call__(self, call: Call) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            return self.function(*call)

    def footprint(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), ragged: bool = False
    ) -> Footprint:
        """See `recurrency.backend.Measured`."""
        return Allocations(self.written, self.real, steps, batch, ragged).footprint()


class NumpyBackend:
    """Runs everywhere; the example for writers of other backends."""

    name = "numpy"
    extension = ".py"
    """The extension of the files that it writes."""
    writes_steps = True
    """Its modules have a function for one step."""

    def available(self) -> str | None:
        """None: it runs everywhere."""
        return None

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Generate and execute one function, which computes the roots of a graph."""
        (written,) = self._written([(name, graph)], layout, without)
        text = _text([written], dtype, "")
        return Built(executed(text, self.name, written.name)[written.name], text, written, dtype)

    def module(self, export: Export) -> str:
        """The source of a whole module: tables, the passes, and the functions that a user calls."""
        written = self._written(export.functions, export.layout, export.without)
        passes = [f"`{name}`" for name, _ in export.functions]
        loss = ", and for training `loss_and_gradients`" if "`loss_pass`" in passes else ""
        header = export.header + GUIDE.format(loss=loss, passes=" and ".join([", ".join(passes[:-1]), passes[-1]]))
        return _text(written, export.dtype, header, tables(export), calls(export, ARRAYS))

    def emit(
        self,
        functions: Sequence[tuple[str, Graph]],
        layout: Layout,
        dtype: str,
        header: str = "",
        without: frozenset[str] = frozenset(),
    ) -> str:
        """The source of a module with these functions, which needs nothing but NumPy."""
        return _text(self._written(functions, layout, without), dtype, header)

    def _written(
        self, functions: Sequence[tuple[str, Graph]], layout: Layout, without: frozenset[str]
    ) -> list[Function]:
        programs = [(ascii_name(name), schedule(with_lengths(graph), layout, without)) for name, graph in functions]
        return [Function(name, program, layout, Numpy()) for name, program in programs]


def _text(written: Sequence[Function], dtype: str, header: str, tables: str = "", interface: str = "") -> str:
    own = [tables, *(f.text() for f in written), interface]
    own.append(fixed_text(written, Numpy()))
    return assembled(lambda used: _preamble(header, dtype, used), own, HELPERS)


def _preamble(header: str, dtype: str, used: set[str]) -> str:
    lines = [docstring(header), ""] if header else []
    lines += [f"import {name}" for name in ("math", "threading") if name in used]
    lines += ["from base64 import b64decode"] if "b64decode" in used else []
    lines += ["from collections.abc import Mapping"] if "Mapping" in used else []
    lines += ["from sys import getrefcount"] if "getrefcount" in used else []
    lines += ["", "import numpy as np"]
    lines += [import_line("numpy", used & FUNCTIONS)] if used & FUNCTIONS else []
    lines += ["", f"real = np.{np.dtype(dtype).name}"]
    lines += ["one = real(1.0)"] if "one" in used else []
    lines += ["nan, inf = np.nan, np.inf"] if used & {"nan", "inf"} else []
    return "\n".join(lines)


backend = NumpyBackend()
