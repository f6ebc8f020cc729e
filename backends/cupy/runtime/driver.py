"""The fixed part of every CuPy module: calls, launches, captured graphs. It needs an array module `xp` and NumPy."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arguments import HOST, countable, from_host, said, size_of
from .plans import CAPTURED, MOST_STEPS, Plan, Planner
from .shelf import Shelf

FIRST_CALL = (
    "kernels are compiled in the first call for these sizes, which can't be captured: make one before the capture"
)
"""Why a call is refused while a graph is captured."""

BLOCK, SMALL_BLOCK = 128, 32
"""Threads of a block, in large and in small launches."""

FEW_THREADS = 2**15
"""Up to so many threads are a small launch: blocks of one warp spread it over more multiprocessors."""


def launch(kernel: Any, threads: int, *args: Any) -> None:
    """Launch a kernel with so many threads; their number is its last argument."""
    if threads:
        block = BLOCK if threads > FEW_THREADS else SMALL_BLOCK
        kernel((-(-threads // block),), (block,), (*args, np.int32(threads)))


def launch_tiles(versions: Mapping[int, Any], batch: int, blocks: int, threads: int, *args: Any) -> None:
    """Launch a kernel of tiles: its version for at least so many sequences, or the greatest, with more blocks."""
    if batch:
        size = next((size for size in versions if batch <= size), max(versions))
        versions[size]((blocks * -(-batch // size),), (threads,), args)


def launch_rows(kernel: Any, batch: int, threads: int, *args: Any) -> None:
    """Launch a kernel with a block for each sequence."""
    if batch:
        kernel((batch,), (threads,), args)


def product(xp: Any, a: Any, b: Any, out: Any) -> None:
    """Compute `out = a @ b` for matrices, unless `out` is empty."""
    if 0 not in out.shape:
        xp.matmul(a, b, out=out)


class Function(Planner):
    """One function on a device: a `recurrency.backend.Runner` for arrays of the device."""

    run: Callable[[Plan], None]
    results: Callable[[Plan], dict[str, Any]]

    def __call__(
        self,
        params: Any,
        given: Mapping[str, Any],
        lengths: Mapping[str, Any] | None,
        steps: Mapping[str, int],
        batch: int,
        training: bool = False,
        seed: int = 0,
        offset: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        starts = [name for name in self.FLAGS if f"start:{name}" in given]
        ends = self.ends(lengths or {}, steps, batch)
        ragged = any(n is not None for n in ends.values())

        def attempt() -> dict[str, Any]:
            p = self.plan(steps, batch, starts, training, ragged)
            try:
                self.bind(p, params, given, ends, seed, offset or {})
                self.run(p)
                return self.handed(p, self.results(p))
            finally:
                self.returned(p, given)

        with self.kernels.lock:
            out: dict[str, Any] = self.roomy(attempt)
            return out

    def roomy(self, work: Callable[[], Any]) -> Any:
        """The result of some work. If the device is full, all plans are dropped, and the work is done again.

        Raises:
            MemoryError: the device is full even then.
        """
        full = self.xp.cuda.memory.OutOfMemoryError
        try:
            return work()
        except full:
            self.kernels.forget()
        try:
            return work()
        except full as error:
            self.kernels.forget()
            raise MemoryError(f"{type(self).__name__} needs more memory than the device has: {error}") from error

    def ends(self, lengths: Mapping[str, Any], steps: Mapping[str, int], batch: int) -> dict[str, Any]:
        """The number of steps of each sequence, for each clock; None: all have all steps.

        Those on the host are checked. Those on the device (int64) are not, as that would wait for it: they count as at
        least no step, and as at most all steps.
        """
        out: dict[str, Any] = {}
        for clock in self.CLOCKS:
            given, most = lengths.get(clock), int(steps[clock])
            if given is None or self.on_device(given):
                out[clock] = given
                continue
            n = np.asarray(given)
            whole = n.shape == (batch,) and (n.dtype.kind in "iu" or not batch)
            if not whole or (batch and not 0 <= n.min() <= n.max() <= most):
                raise ValueError(f"lengths are {batch} whole numbers from 0 to {most}, the steps of the clock {clock}")
            out[clock] = n.astype(np.int32) if batch and n.min() < most else None
        return out

    def bind(
        self,
        p: Plan,
        params: Any,
        given: Mapping[str, Any],
        ends: Mapping[str, Any],
        seed: int,
        offset: Mapping[str, Any],
    ) -> None:
        """Put the arrays of one call into a plan."""
        for name, clock in self.CLOCKS.items():
            self.bind_lengths(p, clock, ends[name])
            if self.RANDOM:
                self.bind_numbers(p, f"before_{clock}", offset.get(name, 0), np.int64)
        if self.RANDOM:
            self.bind_numbers(p, "seed", seed & (2**64 - 1), np.uint64)
        vector = self.device(params)
        self.fits("params", vector, [self.SIZE])
        self.put(p, "params", vector)
        for name, (array, symbols, clock, axes) in self.INPUTS.items():
            if name in given:
                x = self.device(given[name], name, symbols)
                self.fits(name, x, [axis if isinstance(axis, int) else int(getattr(p, axis)) for axis in axes])
                self.put(p, array, self.clean(x, getattr(p, f"n_{clock}")) if p.ragged and clock is not None else x)
        if not p.static:
            self.renew(p, *p.sizes, int(p.B))

    def bind_lengths(self, p: Plan, clock: str, lengths: Any) -> None:
        """Put the number of steps of each sequence into a plan: of the host, of the device, or all steps (None)."""
        name, most = f"n_{clock}", getattr(p, f"T_{clock}")
        if lengths is not None and self.on_device(lengths):
            found = self.device(lengths, "lengths", int(most) + 1)
            self.fits("lengths", found, [int(p.B)])
            launch(self.kernels.within, int(p.B), self.room(p, name, np.int32), found, most)
        elif p.ragged or name not in p.__dict__:  # without lengths, those of the last call are still right
            self.bind_numbers(p, name, most if lengths is None else lengths, np.int32)

    def bind_numbers(self, p: Plan, name: str, numbers: Any, dtype: Any) -> None:
        """Put numbers of each sequence into a plan, or a number for all.

        One number is an argument of a kernel, and arrays of the device are copied there, so that nothing waits.

        Raises:
            RuntimeError: they are on the host, from where nothing can be copied while a graph is captured.
        """
        out = self.room(p, name, dtype)
        if np.ndim(numbers) == 0 and not self.on_device(numbers):
            self.fill(out, numbers)
            return
        if self.on_device(numbers):
            found = self.device(numbers, name, 0)
        elif p.captured:
            raise RuntimeError("lengths, and numbers of steps before a call, must be on the device to be captured")
        else:
            found = self.xp.asarray(np.broadcast_to(np.asarray(numbers), out.shape).astype(dtype))
        self.fits(name, found, out.shape)
        self.copy(found, out)

    def room(self, p: Plan, name: str, dtype: Any) -> Any:
        """The array of a plan for numbers of each sequence; `seed` is one number."""
        if name not in p.__dict__:
            setattr(p, name, self.xp.empty((1 if name == "seed" else int(p.B),), np.dtype(dtype)))
        return getattr(p, name)

    def fill(self, out: Any, value: Any) -> Any:
        """An array of whole numbers that are all the same."""
        launch(getattr(self.kernels, f"fill_{out.dtype}"), size_of(out), out, out.dtype.type(value))
        return out

    def nothing(self, *shape: int) -> Any:
        """A fresh array of no symbols."""
        return self.fill(self.xp.empty(shape, np.dtype(np.int64)), -1)

    def on_device(self, array: Any) -> bool:
        """Whether an array is in the memory of a device."""
        if isinstance(array, self.xp.ndarray):
            return True
        return hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] != HOST

    @staticmethod
    def fits(name: str, array: Any, wanted: Sequence[int]) -> None:
        """Raise ValueError for an array of another shape, or one that is too large."""
        if tuple(array.shape) != tuple(wanted):
            raise ValueError(f"{said(name)} is {list(array.shape)}; this call needs {list(wanted)}")
        countable(said(name), size_of(array))

    def put(self, p: Plan, name: str, array: Any) -> None:
        """Put an array into a plan; where graphs are captured, copy it to the memory that these read."""
        setattr(p, name, self.copy(array, p.__dict__.get(name)) if p.static else array)

    def handed(self, p: Plan, results: dict[str, Any]) -> dict[str, Any]:
        """The results, which belong to the caller: copies of what captured graphs overwrite, or the arrays."""
        return {name: self.copy(array) for name, array in results.items()} if p.static else results

    def returned(self, p: Plan, given: Mapping[str, Any]) -> None:
        """End a call, which may have failed: what is the caller's leaves the plan; one that has grown makes room."""
        if p.static:
            if not p.bound:
                p.bound = True
                self.kernels.shelf.fit(self.xp, p)
            return
        for name in (*self.LENT, *(array for name, (array, *_) in self.INPUTS.items() if name in given)):
            p.__dict__.pop(name, None)

    def device(self, array: Any, name: str = "params", symbols: int | None = None) -> Any:
        """An array on the device in C order, without a copy if it is one already.

        It holds real numbers, or symbols, of which there are `symbols`.

        Raises:
            TypeError: it holds something else. ValueError: it is on another device, or holds unknown symbols.
        """
        xp, dtype = self.xp, self.real if symbols is None else np.dtype(np.int64)
        if not isinstance(array, xp.ndarray):
            if not hasattr(array, "__dlpack__") or array.__dlpack_device__()[0] == HOST:
                host = from_host(array, dtype, name, symbols)
                return self.roomy(lambda: xp.asarray(host))
            array = xp.from_dlpack(array)
        here = xp.cuda.runtime.getDevice()
        if array.device.id != here:
            raise ValueError(f"{said(name)} is on the device {array.device.id}; this call runs on the device {here}")
        if array.dtype != dtype:
            raise TypeError(f"{said(name)} holds {array.dtype}; this module needs {dtype}: convert it first")
        return array if array.flags.c_contiguous else self.roomy(lambda: xp.ascontiguousarray(array))

    def zeros(self, *shape: int) -> Any:
        """A fresh array of zeros."""
        return self.roomy(lambda: self.xp.zeros(shape, self.real))

    def copy(self, array: Any, out: Any = None) -> Any:
        """A copy of an array, in `out` if given."""
        out = self.xp.empty(array.shape, array.dtype) if out is None else out
        kernel = getattr(self.kernels, f"copy_{'real' if array.dtype == self.real else array.dtype}")
        launch(kernel, size_of(array), out, array)
        return out

    def clean(self, x: Any, lengths: Any) -> Any:
        """A copy of a stream with cleared padding."""
        out = self.xp.empty(x.shape, x.dtype)
        kernel = self.kernels.clean_real if x.dtype == self.real else self.kernels.clean_symbols
        row = size_of(x) // max(1, x.shape[0] * x.shape[1])
        launch(kernel, size_of(x), out, x, lengths, np.int32(x.shape[1]), np.int32(row))
        return out

    def scan(self, p: Plan, number: int) -> None:
        """Run a loop over time; with kernels at each step, as one graph, which the first run captures."""
        name, _, way, _ = p.ways[number]
        steps = getattr(self, f"{name}_{way}")
        none, many = 0 in (*p.sizes, int(p.B)), max(p.sizes, default=0) > MOST_STEPS
        if way not in CAPTURED or none or many or not p.static:
            steps(p)
            return
        if number not in p.graphs:
            p.graphs[number] = self.captured(steps, p)
        p.graphs[number].launch()

    def captured(self, steps: Callable[[Plan], None], p: Plan) -> Any:
        """A graph of the launches of a loop."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            try:
                steps(p)
            finally:
                graph = stream.end_capture()
        return graph


class Kernels:
    """The kernels of a text as attributes, all compiled at once, because no kernel can be compiled during a capture.

    They are those of the current device. Those of `split`, which only the plan of this name launches, are compiled when
    it is first made. The functions that launch kernels, one at a time, keep their plans on `shelf`.
    """

    def __init__(self, xp: Any, source: str, split: str = "", shelf: Any = None) -> None:
        self.shelf = Shelf() if shelf is None else shelf
        self.lock = threading.RLock()
        self.xp, self.later = xp, {"split": split}
        self._compile(source)

    def need(self, way: str) -> None:
        """Compile the kernels that only this way to run loops launches, unless that is done."""
        self._compile(self.later.get(way, ""))
        self.later.pop(way, None)

    def _compile(self, source: str) -> None:
        """Compile kernels, and load them.

        Raises:
            RuntimeError: a graph is being captured, which forbids it.
        """
        if source:
            if self.xp.cuda.get_current_stream().is_capturing():
                raise RuntimeError(FIRST_CALL)
            module = self.xp.RawModule(code=source, options=("--std=c++17",))
            names = re.findall(r"__global__ void (?:__launch_bounds__\([\d, ]+\) )?(\w+)\(", source)
            self.__dict__.update((name, module.get_function(name)) for name in names)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no kernel {name}")

    def forget(self) -> None:
        """Drop all plans, and with them their memory."""
        self.shelf.forget()
