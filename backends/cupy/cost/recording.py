"""The launches and products of each way to run a loop over time, recorded from the driver, which runs on nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.graph.roots import START

from ..emulated.arrays import ndarray
from ..emulated.signature import Signature, signatures
from ..emulated.stand_in import StandIn


@dataclass(frozen=True)
class Launch:
    """A launch of a kernel; `arguments` are bits, of `sizes` bytes each. `numbers` are the scalar ones but the step."""

    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: tuple[int, ...]
    sizes: tuple[int, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Product:
    """A product of cuBLAS: rows x inner x columns."""

    rows: int
    inner: int
    columns: int


class Silent:
    """A library whose kernels do nothing but note their launch."""

    def __init__(self, code: str, calls: list[Launch | Product]) -> None:
        self.kernels: Mapping[str, Signature] = {kernel.name: kernel for kernel in signatures(code)}
        self._calls = calls

    def launcher(self, name: str) -> Callable[..., None]:
        """See `emulated.launch.Library`."""
        parameters = self.kernels[name].parameters
        sizes = tuple(8 if p.pointer else p.dtype.itemsize for p in parameters)
        plain = [k for k, p in enumerate(parameters) if not p.pointer and p.name != "t"]

        def note(shape: Any, _order: int, values: Any, _uses: object) -> None:
            size, given = tuple(int(n) for n in shape), tuple(values)[: len(sizes)]
            self._calls.append(Launch(name, size[:3], size[3:], given, sizes, tuple(given[k] for k in plain)))

        return note


class Paper(StandIn):
    """A device that computes nothing, and lists the calls."""

    def __init__(self) -> None:
        self.calls: list[Launch | Product] = []
        super().__init__(compiled=lambda code: Silent(code, self.calls))

    def matmul(self, a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
        """See `StandIn.matmul`."""
        self.calls.append(Product(a.shape[-2], a.shape[-1], b.shape[-1]))
        return self.empty((*a.shape[:-1], b.shape[-1]), a.dtype) if out is None else out

    @contextmanager
    def recorded(self) -> Iterator[list[Launch | Product]]:
        """The calls made in a block of code."""
        start, out = len(self.calls), list[Launch | Product]()
        yield out
        out += self.calls[start:]


def ways(module: Mapping[str, Any], name: str, steps: int, batch: int) -> dict[tuple[str, str], list[Launch | Product]]:
    """The calls of each loop of a function of a generated module, by its states and the way to run it."""
    xp = Paper()
    module["use"](xp)
    function = module["_function"](module[name])
    out: dict[tuple[str, str], list[Launch | Product]] = {}

    def scan(p: Any, number: int) -> None:
        key = f"scan_{number}"
        states, possible, *_ = function.SCANS[key]
        for way in possible:
            function.kernels.need(way)
            with xp.recorded() as calls:
                getattr(function, f"{key}_{way}")(p)
            out[f"{number + 1}: {states}" if len(function.SCANS) > 1 else states, way] = calls

    function.scan = scan
    clocks = dict.fromkeys(function.CLOCKS, steps)
    sizes = {**{f"T_{short}": steps for short in function.CLOCKS.values()}, "B": batch}
    given = {key: _array(xp, row, sizes, function.real) for key, row in function.INPUTS.items() if not START.has(key)}
    function(xp.zeros((function.SIZE,), function.real), given, None, clocks, batch)
    return out


def _array(xp: Paper, row: tuple[Any, ...], sizes: Mapping[str, int], real: Any) -> ndarray:
    """An argument of a function: zeros."""
    _, symbols, _, axes = row
    shape = tuple(axis if isinstance(axis, int) else sizes[axis] for axis in axes)
    return xp.zeros(shape, real if symbols is None else np.dtype(np.int64))
