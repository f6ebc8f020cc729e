"""What every generated CuPy module holds: plans, launches, captured graphs. It needs an array module `xp` and NumPy."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

MOST_PLANS = 8
"""So many plans are kept: for the sizes that were used last."""

SMALL_BATCH = 16
"""Up to so many sequences a loop's steps are launched as one captured graph."""

BLOCK = 128
"""Threads of a block."""

LARGEST = 2**31 - 2**10
"""More elements than these are not counted in 32 bits."""

PLANS = ("loop", "step", "gemm")
"""How a loop over time runs: in one kernel; with own products, captured as a graph; with products by the library."""


def launch(kernel: Any, threads: int, *args: Any) -> None:
    """Launch a kernel with so many threads; its last argument is their number."""
    if threads:
        kernel(((threads + BLOCK - 1) // BLOCK,), (BLOCK,), (*args, np.int32(threads)))


def product(xp: Any, a: Any, b: Any, out: Any) -> None:
    """`out = a @ b`, matrices; nothing is done where there are no elements."""
    if 0 not in out.shape:
        xp.matmul(a, b, out=out)


def size_of(array: Any) -> int:
    """The number of elements of an array."""
    size = 1
    for extent in array.shape:
        size *= extent
    return size


class Plan:
    """Memory and sizes for one run of a function: arrays, numbers of steps and sequences, how each loop runs."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this plan has no {name} now")

    def describe(self) -> str:
        """How each loop over time runs, and why."""
        return "\n".join(f"{states}: {way}: {why}" for _, states, way, why in self.ways) or "no loop over time"


class Function:
    """One function on a device: see `recurrency.backend.Runner`, with arrays of the device in the place of NumPy's.

    `wanted` is `loop`, `step` or `gemm`: how loops run where they can; None: it is chosen for each size.
    """

    CLOCKS: ClassVar[dict[str, str]] = {}
    INPUTS: ClassVar[dict[str, tuple[Any, ...]]] = {}
    SCANS: ClassVar[dict[str, tuple[Any, ...]]] = {}
    FLAGS: ClassVar[dict[str, str]] = {}
    LENT: tuple[str, ...] = ()
    RANDOM = False

    largest: Callable[..., Iterable[int]]
    allocate: Callable[..., None]
    renew: Callable[..., None]
    run: Callable[[Plan], None]
    results: Callable[[Plan], dict[str, Any]]

    def __init__(self, xp: Any, kernels: Any, real: str, wanted: str | None = None) -> None:
        self.xp, self.kernels, self.real, self.wanted = xp, kernels, np.dtype(real), wanted
        self.plans: OrderedDict[Any, Plan] = OrderedDict()
        self.lock = threading.RLock()

    def __call__(
        self, params: Any, given: Mapping[str, Any], lengths: Mapping[str, Any] | None, steps: Mapping[str, int],
        batch: int, training: bool = False, seed: int = 0, offset: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        starts = [name for name in self.FLAGS if f"start:{name}" in given]
        ends = self.ends(lengths or {}, steps, batch)
        ragged = any(bool((n < steps[clock]).any()) for clock, n in ends.items())
        with self.lock:
            try:
                p = self.plan(steps, batch, starts, training, ragged)
                self.bind(p, params, given, ends, seed, offset or {})
                self.run(p)
                return self.handed(p, given, self.results(p))
            except self.xp.cuda.memory.OutOfMemoryError as error:
                self.plans.clear()
                raise MemoryError(f"{type(self).__name__} needs more memory than the device has: {error}") from error

    def ends(self, lengths: Mapping[str, Any], steps: Mapping[str, int], batch: int) -> dict[str, Any]:
        """The number of steps of each sequence, for each clock."""
        out = {}
        for clock in self.CLOCKS:
            n, most = lengths.get(clock), int(steps[clock])
            out[clock] = np.full(batch, most, np.int32) if n is None else np.asarray(n, np.int32)
            if out[clock].shape != (batch,) or (batch and not 0 <= out[clock].min() <= out[clock].max() <= most):
                raise ValueError(f"lengths are {batch} numbers from 0 to {most}, the steps of the clock {clock}")
        return out

    # ----------------------------------------------------------------------------------------------------- planning

    def plan(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), training: bool = False,
        ragged: bool = False,
    ) -> Plan:  # fmt: skip
        """The plan for these sizes, made when they are first used; `given` names first values that are handed over."""
        sizes = tuple(int(steps[clock]) for clock in self.CLOCKS)
        key = (sizes, int(batch), tuple(given), bool(training), ragged, self.wanted)
        if key in self.plans:
            self.plans.move_to_end(key)
            return self.plans[key]
        self.check(sizes, int(batch))
        p = self.empty_plan(sizes, int(batch), given, training, ragged)
        self.allocate(p, *sizes, int(batch))
        if p.static:
            self.renew(p, *sizes, int(batch))
        while len(self.plans) >= MOST_PLANS:
            self.plans.popitem(last=False)
        self.plans[key] = p
        return p

    def empty_plan(
        self, sizes: tuple[int, ...], batch: int, given: Collection[str], training: bool, ragged: bool
    ) -> Plan:
        """A plan without memory. It is `static` if graphs of it are captured: then its arrays stay where they are."""
        ways = self.ways(batch)
        static = any(way == "step" for *_, way, _ in ways)
        p = Plan(sizes=sizes, ragged=ragged, ways=ways, static=static, graphs={})
        p.__dict__.update(B=np.int32(batch), training=np.int32(training))
        for clock, size in zip(self.CLOCKS.values(), sizes, strict=True):
            setattr(p, f"T_{clock}", np.int32(size))
            setattr(p, f"steps_{clock}", [np.int32(t) for t in range(size)])
        for name, flag in self.FLAGS.items():
            setattr(p, flag, np.int32(name in given))
        return p

    def ways(self, batch: int) -> list[tuple[str, str, str, str]]:
        """How each loop over time runs for so many sequences: its name, what it computes, the way, and why."""
        return [(name, row[0], *self.way(row[1], row[2], batch)) for name, row in self.SCANS.items()]

    def way(self, ways: tuple[str, ...], refused: Mapping[str, str], batch: int) -> tuple[str, str]:
        """Of some ways to run a loop the best, and why; `refused` says why there are no others."""
        if self.wanted in ways:
            return str(self.wanted), "as was asked for"
        if self.wanted is not None:
            return ways[-1], f"there is no {self.wanted}: {refused.get(self.wanted, 'it is unknown')}"
        if "loop" in ways:
            return "loop", "each unit reads its own past alone, so that one kernel runs over all steps"
        why = refused.get("loop", "")
        if "step" in ways and batch <= SMALL_BATCH:
            return "step", f"{batch} sequences are few, so that a graph of own kernels is captured; {why}"
        return "gemm", f"{batch} sequences, products by the library at each step; {why}"

    def check(self, sizes: tuple[int, ...], batch: int) -> None:
        """Refuse sizes that 32 bits can't count."""
        largest = max(self.largest(*sizes, batch), default=0)
        if largest > LARGEST:
            raise ValueError(f"an array would have {largest:,} elements; at most {LARGEST:,} are possible: split it up")

    # ------------------------------------------------------------------------------------------------------ running

    def bind(
        self, p: Plan, params: Any, given: Mapping[str, Any], ends: Mapping[str, Any], seed: int,
        offset: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Give a plan the arrays of one call."""
        xp, batch = self.xp, int(p.B)
        for name, clock in self.CLOCKS.items():
            self.put(p, f"n_{clock}", xp.asarray(ends[name]))
            if self.RANDOM:
                before = np.broadcast_to(np.asarray(offset.get(name, 0), np.int64), (batch,))
                self.put(p, f"before_{clock}", xp.asarray(before))
        if self.RANDOM:
            self.put(p, "seed", xp.asarray(np.array([seed & (2**64 - 1)], np.uint64)))
        self.put(p, "params", self.device(params, self.real))
        for name, (array, is_real, clock, axes) in self.INPUTS.items():
            if name in given:
                x = self.device(given[name], self.real if is_real else np.dtype(np.int64), name)
                self.fits(name, x, [axis if isinstance(axis, int) else int(getattr(p, axis)) for axis in axes])
                self.put(p, array, self.clean(x, getattr(p, f"n_{clock}")) if p.ragged and clock is not None else x)
        if not p.static:
            self.renew(p, *p.sizes, batch)

    @staticmethod
    def fits(name: str, array: Any, wanted: list[int]) -> None:
        """Refuse an array of another shape."""
        if list(array.shape) != wanted:
            raise ValueError(f"{name} is {list(array.shape)}; this call needs {wanted}")

    def put(self, p: Plan, name: str, array: Any) -> None:
        """Make an array a plan's; where graphs are captured it is copied to where these read it."""
        setattr(p, name, self.copy(array, p.__dict__.get(name)) if p.static else array)

    def handed(self, p: Plan, given: Mapping[str, Any], results: dict[str, Any]) -> dict[str, Any]:
        """The results, which are the caller's from now on: copies of what a graph writes again, else the arrays."""
        if p.static:
            return {name: self.copy(array) for name, array in results.items()}
        for name in (*self.LENT, *(array for name, (array, *_) in self.INPUTS.items() if name in given)):
            p.__dict__.pop(name, None)
        return results

    def device(self, array: Any, dtype: Any, name: str = "params") -> Any:
        """An array on the device, of this type, its elements one after another; if it is that already, itself."""
        xp = self.xp
        if not isinstance(array, xp.ndarray):
            if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
                return xp.asarray(np.asarray(array, dtype, order="C"))
            array = xp.from_dlpack(array)
        if array.dtype != dtype:
            raise TypeError(f"{name} holds {array.dtype}; this module needs {dtype}: convert it first")
        return array if array.flags.c_contiguous else xp.ascontiguousarray(array)

    def copy(self, array: Any, out: Any = None) -> Any:
        """A copy of an array, in `out` if that is given."""
        out = self.xp.empty(array.shape, array.dtype) if out is None else out
        kernel = self.kernels.copy_real if array.dtype == self.real else self.kernels.others[str(array.dtype)]
        launch(kernel, size_of(array), out, array)
        return out

    def clean(self, x: Any, lengths: Any) -> Any:
        """A copy of a stream with nothing after the end of each sequence."""
        out = self.xp.empty(x.shape, x.dtype)
        kernel = self.kernels.clean_real if x.dtype == self.real else self.kernels.clean_symbols
        row = size_of(x) // max(1, x.shape[0] * x.shape[1])
        launch(kernel, size_of(x), out, x, lengths, np.int32(x.shape[1]), np.int32(row))
        return out

    def scan(self, p: Plan, number: int) -> None:
        """Run a loop over time; its steps with own products as one graph, captured when they are first run."""
        name, _, way, _ = p.ways[number]
        steps = getattr(self, f"{name}_{way}")
        if way != "step":
            steps(p)
            return
        if number not in p.graphs:
            p.graphs[number] = self.captured(steps, p)
        p.graphs[number].launch()

    def captured(self, steps: Callable[[Plan], None], p: Plan) -> Any:
        """The launches of a loop as a graph."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            try:
                steps(p)
            finally:
                graph = stream.end_capture()
        return graph


GENERAL = r"""
extern "C" __global__ void copy_real(REAL* out, const REAL* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

extern "C" __global__ void copy_int64(long long* out, const long long* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

extern "C" __global__ void copy_int32(int* out, const int* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

extern "C" __global__ void copy_uint64(unsigned long long* out, const unsigned long long* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

extern "C" __global__ void clean_real(REAL* out, const REAL* x, const int* lengths, int B, int row, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = i / row / B < lengths[i / row % B] ? x[i] : (REAL)0;
}

extern "C" __global__ void clean_symbols(
    long long* out, const long long* x, const int* lengths, int B, int row, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = i / row / B < lengths[i / row % B] ? x[i] : -1;
}
"""
"""Kernels that every module has; REAL stands for its type."""


class Kernels:
    """The kernels of a text by name, all compiled at once: a captured graph can't wait for that."""

    def __init__(self, xp: Any, source: str) -> None:
        module = xp.RawModule(code=source, options=("--std=c++17",))
        names = re.findall(r"__global__ void (?:__launch_bounds__\([\d, ]+\) )?(\w+)\(", source)
        self.named = {name: module.get_function(name) for name in names}
        self.others = {kind: self.named[f"copy_{kind}"] for kind in ("int64", "int32", "uint64")}

    def __getattr__(self, name: str) -> Any:
        return self.named[name]
