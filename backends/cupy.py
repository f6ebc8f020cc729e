"""The CuPy backend: header-free CUDA C kernels and a driver in Python, written as a module that needs cupy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from recurrency.backends import _cupy_runtime
from recurrency.backends._cuda_kernels import PHILOX
from recurrency.backends._cupy_class import class_text
from recurrency.backends._cupy_function import Function
from recurrency.backends._python_names import Names, ascii_name
from recurrency.backends._scalar_c import Scalars

from recurrency.graph.graph import Graph
from recurrency.program.layout import Layout

if TYPE_CHECKING:
    from recurrency.export import ModuleRequest

Array = np.ndarray[Any, np.dtype[Any]]


class Built:
    """A function that runs on a device (see `recurrency.backend.Runner`), and the source of its module."""

    def __init__(self, name: str, source: str, load: Callable[[], Any], dtype: str, plan: str | None) -> None:
        self.name, self.source, self._load, self.dtype, self.wanted = name, source, load, dtype, plan
        self._function: Any = None

    @property
    def device(self) -> Any:
        """The function on arrays of the device."""
        if self._function is None:
            module: dict[str, Any] = {"__name__": f"recurrency.generated.{self.name}"}
            exec(compile(self.source, f"<recurrency cupy {self.name}>", "exec"), module)
            xp = self._load()
            self._function = module[self.name](xp, module["Kernels"](xp, module["SRC"]), self.dtype, self.wanted)
        return self._function

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
        xp = self._load()
        results = self.device(params, given, lengths, steps, batch, training, seed, offset)
        return {name: xp.asnumpy(array) for name, array in results.items()}


class CupyBackend:
    """Kernels and driver for `cupy`, or for what `load` gives in its place."""

    def __init__(self, name: str = "cupy", load: Callable[[], Any] | None = None, plan: str | None = None) -> None:
        self.name, self.plan = name, plan
        self.load = _cupy if load is None else load

    def available(self) -> str | None:
        """Why this backend can not run here; None: it can."""
        if find_spec("cupy") is None:
            return "cupy is not installed: pip install recurrency[cupy-cuda12x]"
        return None if _cupy().cuda.is_available() else "there is no CUDA device"

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Compile one function, which computes the roots of a graph."""
        source = self.emit([(name, graph)], layout, dtype, "", without)
        return Built(ascii_name(name), source, self.load, dtype, self.plan)

    def emit(
        self,
        functions: Sequence[tuple[str, Graph]],
        layout: Layout,
        dtype: str,
        header: str = "",
        without: frozenset[str] = frozenset(),
    ) -> str:
        """The text of a module with these functions, which needs nothing but an array module like cupy."""
        taken = Names()
        written = [Function(ascii_name(name), graph, layout, dtype, without, taken) for name, graph in functions]
        kernels = "\n".join(kernel.text for f in written for kernel in f.kernels)
        philox = PHILOX + "\n" if "philox(" in kernels else ""
        general = _cupy_runtime.GENERAL.replace("REAL", Scalars(dtype).real)
        runtime = Path(_cupy_runtime.__file__).read_text(encoding="utf-8")
        source = f"SRC = r'''{philox}{kernels}{general}'''\n"
        return "\n\n".join([runtime, source, *(class_text(f) for f in written)])


def _cupy() -> Any:
    import cupy
    import cupy.cublas

    return cupy


backend = CupyBackend()
