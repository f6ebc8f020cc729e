"""The CuPy backend: CUDA C kernels without headers and a driver in Python, as a module that needs only cupy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.graph.graph import Graph
from recurrency.program.layout import Layout

from ..kernels.fixed import fixed_text
from ..kernels.philox import PHILOX
from ..kernels.scalars import Scalars
from ..names import Names, ascii_name
from ..python.module import docstring, executed, import_lines, joined, title, without_imports
from .class_text import class_text
from .function import CudaFunction
from .module import interface_text
from .rows import sum_text
from .runtime import arguments, driver, plans, shelf
from .runtime_kernels import runtime_kernels
from .sums import vector_text
from .tiles import LOAD

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.model.export import Export

    from .cost.table import Forecast

Array = np.ndarray[Any, np.dtype[Any]]

SHELF = shelf.Shelf()
"""Bounds the plans of all functions of this process that run from memory, those of PyTorch modules too."""


class Built:
    """A function that runs on a device (see `recurrency.backend.Runner`), with the source of its module."""

    def __init__(self, name: str, source: str, load: Callable[[], Any], plan: str | None) -> None:
        self.name, self.source, self._load, self.plan = name, source, load, plan
        self._module: dict[str, Any] | None = None
        self._functions: dict[int, Any] = {}

    @property
    def device(self) -> Any:
        """The function for arrays of the current device, with kernels of its own there."""
        xp = self._load()
        number = int(xp.cuda.runtime.getDevice())
        if number not in self._functions:
            module = self._module = self._module or executed(self.source, "cupy", self.name)
            kernels = module["Kernels"](xp, module["SRC"], module["SPLIT_SRC"], SHELF)
            self._functions[number] = module[self.name](xp, kernels, module["REAL"], self.plan)
        return self._functions[number]

    def __call__(self, call: Call) -> dict[str, Array]:
        xp = self._load()
        return {name: xp.asnumpy(array) for name, array in self.device(*call).items()}


class CupyBackend:
    """Kernels and driver for `cupy`, or for the array module that `load` returns.

    `plan` says how loops over time run, one of `PLANS` of the runtime; None chooses the best for each loop and size.
    """

    extension = ".py"
    """The extension of the files that it writes."""
    writes_steps = True
    """Its modules have a function for one step."""
    plans = plans.PLANS
    """Ways to run a loop over time."""
    switches = frozenset({"loop", "step", "split"})
    """Ways to run a loop over time that can be switched off."""

    def __init__(self, name: str = "cupy", load: Callable[[], Any] | None = None, plan: str | None = None) -> None:
        self.name, self.plan = name, plan
        self.load = _cupy if load is None else load

    def available(self) -> str | None:
        """Why this backend cannot run here, or None. It can write source everywhere."""
        try:
            arguments.installed()
        except (ImportError, RuntimeError) as error:
            return str(error)
        return None

    def release(self) -> None:
        """Drop the plans of all compiled models and PyTorch modules, and with them their memory on the device.

        Calls make new ones. Plans of written modules are their own: see `release` there.
        """
        SHELF.forget()

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Compile one function, which computes the roots of a graph."""
        source = self.emit([(name, graph)], layout, dtype, "", without)
        return Built(ascii_name(name), source, self.load, self.plan)

    def module(self, export: Export) -> str:
        """The text of a whole module: kernels, drivers, and the functions that a user calls."""
        passes = self.emit(export.functions, export.layout, export.dtype, export.header, export.without)
        return joined([passes, interface_text(export)])

    def check(self, source: str) -> list[str]:
        """Compile all kernels of a module's source with NVRTC, which needs no device.

        Raises:
            UsageError: NVRTC is not installed, or a kernel fails.
        """
        from .check import check

        found: list[str] = check(source)
        return found

    def times(self, source: str, batch: int) -> Forecast:
        """What a step of each loop over time of a module takes on GPUs, for each plan; see `cost.table`.

        Raises:
            UsageError: NVRTC or nvdisasm is not installed, or a kernel can't be followed.
        """
        from .cost.table import forecast

        return forecast(source, batch)

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
        written = [CudaFunction(ascii_name(name), graph, layout, dtype, without, taken) for name, graph in functions]
        imports, runtime = _runtime()
        head = f"{docstring(header)}\n\n" if header else ""
        texts = {"SRC": kernel_text(written, dtype), "SPLIT_SRC": split_text(written, dtype)}
        kernels = "\n\n".join([f"REAL = {dtype!r}", *(f"{name} = r'''{text}'''" for name, text in texts.items())])
        parts = [head + imports, title("kernels"), kernels, title("runtime, the same in all modules"), runtime]
        return joined([*parts, title("memory and launches"), *map(class_text, written)])


def kernel_text(functions: Sequence[CudaFunction], dtype: str) -> str:
    """The CUDA C of some functions, which needs no header."""
    kernels = "\n".join(kernel.text for f in functions for kernel in f.kernels)
    symbols = any(not array.real for f in functions for array in f.memory.used())
    random = any(f.random for f in functions)
    return f"{_shared_text(functions, dtype)}{kernels}{runtime_kernels(Scalars(dtype).real, symbols, random)}"


def split_text(functions: Sequence[CudaFunction], dtype: str) -> str:
    """The CUDA C of the kernels that only the plan `split` launches, or nothing."""
    kernels = "\n".join(kernel.text for f in functions for kernel in f.launches.writer.apart)
    real = Scalars(dtype).real
    known = f"{vector_text(real, LOAD // np.dtype(dtype).itemsize)}{sum_text(real)}"
    return f"{_shared_text(functions, dtype)}{known}\n{kernels}" if kernels else ""


def _shared_text(functions: Sequence[CudaFunction], dtype: str) -> str:
    """What kernels of both texts read."""
    philox = f"{PHILOX}\n" if any(f.random for f in functions) else ""
    return f"\n{philox}{fixed_text(functions, dtype, '__device__')}"


@cache
def _runtime() -> tuple[str, str]:
    """The imports of every module, and what else it contains: the files of the runtime as one."""
    imports: defaultdict[str, set[str]] = defaultdict(set)
    files = [Path(str(part.__file__)).read_text(encoding="utf-8") for part in (arguments, plans, shelf, driver)]
    bodies = [without_imports(text, imports) for text in files]
    return "\n".join(import_lines(imports, "numpy")), joined(bodies)


def _cupy() -> Any:
    import cupy

    return cupy


backend = CupyBackend()
