"""What every generated CuPy module holds: plans, launches, captured graphs. It needs an array module `xp` and NumPy."""

import re
import threading
from collections import OrderedDict

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


def launch(kernel, threads, *args):
    """Launch a kernel with so many threads; its last argument is their number."""
    if threads:
        kernel(((threads + BLOCK - 1) // BLOCK,), (BLOCK,), (*args, np.int32(threads)))


def product(xp, a, b, out):
    """`out = a @ b`, matrices; nothing is done where there are no elements."""
    if 0 not in out.shape:
        xp.matmul(a, b, out=out)


class Plan:
    """Memory and sizes for one run of a function: arrays, numbers of steps and sequences, how each loop runs."""

    def __init__(self, **sizes):
        self.__dict__.update(sizes)

    def describe(self):
        """How each loop over time runs, and why."""
        return "\n".join(f"{states}: {way}: {why}" for _, states, way, why in self.ways) or "no loop over time"


class Function:
    """One function on a device: see `recurrency.backend.Runner`, with arrays of the device in the place of NumPy's.

    `plan` is `loop`, `step` or `gemm`, or None: it is chosen for each size.
    """

    CLOCKS, INPUTS, SCANS, FLAGS, LENT, RANDOM = {}, {}, {}, {}, (), False

    def __init__(self, xp, kernels, real, plan=None):
        self.xp, self.kernels, self.real, self.wanted = xp, kernels, np.dtype(real), plan
        self.plans, self.lock = OrderedDict(), threading.RLock()

    def __call__(self, params, given, lengths, steps, batch, training=False, seed=0, offset=None):
        with self.lock:
            try:
                p = self.plan(steps, batch, [n for n in self.FLAGS if f"start:{n}" in given], bool(training))
                self.bind(p, params, given, lengths, seed, offset)
                self.run(p)
                return self.handed(p, given, self.results(p))
            except self.xp.cuda.memory.OutOfMemoryError as error:
                self.plans.clear()
                raise MemoryError(f"{type(self).__name__} needs more memory than the device has: {error}") from error

    # ----------------------------------------------------------------------------------------------------- planning

    def plan(self, steps, batch, given=(), training=False):
        """The plan for these sizes, made when they are first used."""
        sizes = tuple(int(steps[clock]) for clock in self.CLOCKS)
        key = (sizes, int(batch), tuple(given), training, self.wanted)
        if key in self.plans:
            self.plans.move_to_end(key)
            return self.plans[key]
        p = Plan(sizes=sizes, B=np.int32(batch), training=np.int32(training), graphs={}, real=self.real)
        for clock, size in zip(self.CLOCKS.values(), sizes):
            setattr(p, f"T_{clock}", np.int32(size))
            setattr(p, f"steps_{clock}", [np.int32(t) for t in range(size)])
        for name, flag in self.FLAGS.items():
            setattr(p, flag, np.int32(name in given))
        p.ways = self.ways(int(batch))
        p.static = any(way == "step" for *_, way, _ in p.ways)
        self.check(p)
        self.allocate(p, *sizes, int(batch))
        if p.static:
            self.renew(p, *sizes, int(batch))
        while len(self.plans) >= MOST_PLANS:
            self.plans.popitem(last=False)
        self.plans[key] = p
        return p

    def ways(self, batch):
        """How each loop over time runs for so many sequences."""
        return [self.way(scan, batch) for scan in self.SCANS]

    def way(self, scan, batch):
        """How a loop runs: its name, what it computes, the way, and why."""
        states, ways, refused = self.SCANS[scan]
        if self.wanted is not None and self.wanted in ways:
            return scan, states, self.wanted, "as was asked for"
        if self.wanted is not None:
            return (
                scan,
                states,
                ways[-1],
                f"{self.wanted} can't be: {refused.get(self.wanted, 'there is no such plan')}",
            )
        if "loop" in ways:
            return scan, states, "loop", "each unit reads its own past alone, so that one kernel runs over all steps"
        if "step" in ways and batch <= SMALL_BATCH:
            return (
                scan,
                states,
                "step",
                f"{batch} sequences are few: a captured graph of own kernels; {refused['loop']}",
            )
        return scan, states, "gemm", f"{batch} sequences: products by the library at each step; {refused['loop']}"

    def check(self, p):
        """Refuse sizes that 32 bits can't count."""
        largest = max(self.largest(*p.sizes, int(p.B)), default=0)
        if largest > LARGEST:
            raise ValueError(f"an array would have {largest:,} elements; at most {LARGEST:,} are possible: split it up")

    # ------------------------------------------------------------------------------------------------------ running

    def bind(self, p, params, given, lengths, seed, offset):
        """Give a plan the arrays of one call."""
        xp, batch = self.xp, int(p.B)
        lengths, offset = lengths or {}, offset or {}
        p.ragged = False
        for (name, clock), size in zip(self.CLOCKS.items(), p.sizes):
            n = np.full(batch, size, np.int32) if lengths.get(name) is None else np.asarray(lengths[name], np.int32)
            p.ragged |= bool((n < size).any())
            before = np.broadcast_to(np.asarray(offset.get(name, 0), np.int64), (batch,))
            self.put(p, f"n_{clock}", xp.asarray(n))
            self.put(p, f"before_{clock}", xp.asarray(before))
        if self.RANDOM:
            self.put(p, "seed", xp.asarray(np.array([seed & (2**64 - 1)], np.uint64)))
        self.put(p, "params", self.device(params, self.real))
        for name, (array, is_real, clock, axes) in self.INPUTS.items():
            if name in given:
                x = self.device(given[name], self.real if is_real else np.dtype(np.int64), name)
                wanted = tuple(axis if isinstance(axis, int) else int(getattr(p, axis)) for axis in axes)
                if tuple(x.shape) != wanted:
                    raise ValueError(f"{name} is {list(x.shape)}; this call needs {list(wanted)}")
                if p.ragged and clock is not None:
                    x = self.clean(x, getattr(p, f"n_{clock}"))
                self.put(p, array, x)
        if not p.static:
            self.renew(p, *p.sizes, batch)

    def put(self, p, name, array):
        """Make an array a plan's; where a graph has been captured it is copied to where that reads it."""
        if not p.static:
            setattr(p, name, array)
        else:
            setattr(p, name, self.copy(array, p.__dict__.get(name)))

    def handed(self, p, given, results):
        """The results, which are the caller's from now on: copies of what a graph writes again, else the arrays."""
        if p.static:
            return {name: self.copy(array) for name, array in results.items()}
        for name in (*self.LENT, *(array for name, (array, *_) in self.INPUTS.items() if name in given)):
            p.__dict__.pop(name, None)
        return results

    def device(self, array, dtype, name="params"):
        """An array on the device, of this type, its elements one after another; one that is so already is not copied."""
        xp = self.xp
        if not isinstance(array, xp.ndarray):
            if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
                return xp.asarray(np.asarray(array, dtype, order="C"))
            array = xp.from_dlpack(array)
        if array.dtype != dtype:
            raise TypeError(f"{name} holds {array.dtype}; this module needs {dtype}: convert it first")
        return array if array.flags.c_contiguous else xp.ascontiguousarray(array)

    def copy(self, array, out=None):
        """A copy of an array, in `out` if that is given."""
        out = self.xp.empty(array.shape, array.dtype) if out is None else out
        if out.shape != array.shape:
            raise ValueError(f"an array is {list(array.shape)}; this plan needs {list(out.shape)}")
        kernel = self.kernels.copy_real if array.dtype == self.real else self.kernels.others[str(array.dtype)]
        launch(kernel, size_of(array), out, array)
        return out

    def clean(self, x, lengths):
        """A copy of a stream with nothing after the end of each sequence."""
        out = self.xp.empty(x.shape, x.dtype)
        kernel = self.kernels.clean_real if x.dtype == self.real else self.kernels.clean_symbols
        row = size_of(x) // max(1, x.shape[0] * x.shape[1])
        launch(kernel, size_of(x), out, x, lengths, np.int32(x.shape[1]), np.int32(row))
        return out

    def scan(self, p, number):
        """Run a loop over time; its steps with own products as one graph, captured when they are first run."""
        name, _, way, _ = p.ways[number]
        steps = getattr(self, f"{name}_{way}")
        if way != "step":
            steps(p)
            return
        if number not in p.graphs:
            p.graphs[number] = self.captured(steps, p)
        p.graphs[number].launch()

    def captured(self, steps, p):
        """The launches of a loop as a graph."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            try:
                steps(p)
            finally:
                graph = stream.end_capture()
        return graph


def size_of(array):
    """The number of elements of an array."""
    size = 1
    for extent in array.shape:
        size *= extent
    return size


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

    def __init__(self, xp, source):
        module = xp.RawModule(code=source, options=("--std=c++17",))
        for name in re.findall(r"__global__ void (?:__launch_bounds__\(\d+\) )?(\w+)\(", source):
            setattr(self, name, module.get_function(name))
        self.others = {"int64": self.copy_int64, "int32": self.copy_int32, "uint64": self.copy_uint64}
