"""The NumPy backend: a program as a readable module of NumPy, built by executing that very text."""

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
from ..python.function import Function
from ..python.module import docstring, helpers_of, names_of, names_of_helper
from .dialect import Numpy
from .memory import Call
from .ops import FUNCTIONS, HELPERS, UFUNCS

if TYPE_CHECKING:
    from recurrency.model.export import ModuleRequest

Array = np.ndarray[Any, np.dtype[Any]]

MEMORY = '''
def references(arrays):
    """How many things refer to each array, views of it among them."""
    return [getrefcount(array) for array in arrays]


def memory(make, *sizes):
    """What `make(*sizes)` has made before in this thread, or makes now; a few are remembered.

    What the caller still holds arrays of, as the number of references to their memory shows, is left alone.
    """
    kept = _memories.__dict__.setdefault(make.__name__, {})
    made = kept.setdefault(sizes, [])
    for arenas, counts, arrays in made:
        if references(arenas) == counts:
            return arrays
    arenas, arrays = make(*sizes)
    while len(kept) > 8:
        del kept[next(iter(kept))]
    made[3:] = []
    made.insert(0, (arenas, references(arenas), arrays))
    return arrays
'''


class Built:
    """A built function (see `recurrency.backend.Runner`) and its source."""

    def __init__(self, function: Callable[..., dict[str, Array]], source: str, written: Function, dtype: str) -> None:
        self.function, self.source, self.written, self.real = function, source, written, np.dtype(dtype)

    def __call__(
        self,
        params: Array,
        given: Mapping[str, Array],
        lengths: Mapping[str, Array] | None,
        steps: Mapping[str, int],
        batch: int,
        training: bool,
        seed: int,
        offset: Mapping[str, Array] | None,
    ) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            return self.function(params, given, lengths, steps, batch, training, seed, offset)

    def footprint(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), ragged: bool = False
    ) -> Footprint:
        """See `recurrency.backend.Measured`."""
        return Call(self.written, self.real, steps, batch, ragged).footprint()


class NumpyBackend:
    """Runs everywhere; the reference for what generated code looks like."""

    name = "numpy"
    extension = ".py"
    """Of the files that it writes."""
    writes_steps = True
    """Modules have a function for one step."""

    def available(self) -> str | None:
        """Why this backend can not run here; None: it can."""
        return None

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Compile one function, which computes the roots of a graph."""
        (written,) = self._written([(name, graph)], layout, without)
        text = self._text([written], dtype, "")
        module: dict[str, Any] = {"__name__": f"recurrency.generated.{ascii_name(name)}"}
        exec(compile(text, f"<recurrency numpy {ascii_name(name)}>", "exec"), module)
        return Built(module[ascii_name(name)], text, written, dtype)

    def module(self, request: ModuleRequest) -> str:
        """The text of a whole module: the passes, and the functions that a user calls."""
        from .interface import interface_text

        passes = self.emit(request.functions, request.layout, request.dtype, request.header, request.without)
        text: str = passes + interface_text(request)
        return text

    def emit(
        self,
        functions: Sequence[tuple[str, Graph]],
        layout: Layout,
        dtype: str,
        header: str = "",
        without: frozenset[str] = frozenset(),
    ) -> str:
        """The text of a module with these functions, which needs nothing but NumPy."""
        return self._text(self._written(functions, layout, without), dtype, header)

    def _written(
        self, functions: Sequence[tuple[str, Graph]], layout: Layout, without: frozenset[str]
    ) -> list[Function]:
        programs = [(ascii_name(name), schedule(with_lengths(graph), layout, without)) for name, graph in functions]
        return [Function(name, program, layout, Numpy()) for name, program in programs]

    def _text(self, written: Sequence[Function], dtype: str, header: str) -> str:
        functions_text = "\n".join("\n" + f.text() for f in written)
        used = names_of(functions_text)
        helpers = helpers_of(HELPERS, used)
        used = used.union(*map(names_of_helper, [*helpers, MEMORY]))
        return _preamble(header, dtype, used) + "\n".join([*helpers, MEMORY, functions_text])


def _preamble(header: str, dtype: str, used: set[str]) -> str:
    lines = [docstring(header), ""] if header else []
    lines += ["import math"] if "math" in used else []
    lines += ["import threading", "from sys import getrefcount", "", "import numpy as np", ""]
    lines += [f"{name} = np.{name}" for name in sorted(used & (UFUNCS | FUNCTIONS))]
    lines += [
        "nan, inf = np.nan, np.inf",
        f"real = np.{np.dtype(dtype).name}",
        "one = real(1.0)",
        "_memories = threading.local()",
        "",
    ]
    return "\n".join(lines) + "\n"


backend = NumpyBackend()
