"""The plans of a generated CuPy module: memory for sizes and streams, and how each loop over time runs."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .arguments import countable

MOST_PLANS = 8
"""The number of plans that are kept of a function, for the sizes used last."""

PLANS = ("loop", "step", "split", "gemm")
"""How a loop over time runs: in one kernel; with products in kernels, whose threads or blocks compute them, as a
captured graph; with products by cuBLAS."""

CAPTURED = ("step", "split")
"""The ways of which a graph is captured."""

MOST_STEPS = 2**12
"""Loops over more steps are not captured: a graph of so many launches takes long to make, and much memory."""

LAUNCH, CALL = 1.5, 10.0
"""Microseconds from one kernel of a graph to the next, and of a call from Python where nothing is captured."""

TERM, CACHE = 0.012, 5.5e6
"""Microseconds in which a thread adds a term to its sums, and bytes that all threads read from the cache in one."""

TILE, TILE_RATE, TILES = 1.2, 175e3, 132
"""Microseconds that a block of a tile takes at least, its multiplications in one, and how many blocks run at a time."""

STAGE, THREADS = 0.4, 132 * 1024
"""Microseconds of a stage of a kernel with a block for each sequence, and how many threads run at a time."""

PRODUCT, PRODUCT_RATE = 5.0, 25e6
"""Microseconds that a product of cuBLAS takes at least, and its multiplications in one."""

PER_THREAD = 2
"""The CUDA stream that is different for each thread."""

NO_CAPTURE = (
    "calls of this module can't be captured in a graph: CuPy multiplies no matrices in a capture, and gives "
    "memory that the graph still uses to others. A module of PyTorch can be captured by torch"
)
"""Why a call is refused while a graph is captured."""


class Plan:
    """Arrays and sizes for runs of one function, and how each of its loops runs."""

    used = 0
    """The turn in which it was used last, among all plans."""
    bound = False
    """Whether it has had the arrays of a call: if these stay in it, it has grown."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)

    def bytes(self) -> int:
        """The memory of its arrays."""
        return sum(array.nbytes for array in self.__dict__.values() if hasattr(array, "nbytes") and array.shape)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this plan has no {name} now")

    def describe(self) -> str:
        """How each loop over time runs, and why."""
        return "\n".join(f"{states}: {way}: {why}" for _, states, way, why in self.ways) or "no loop over time"


def predicted(way: str, work: Iterable[tuple[str, int, int]], batch: int, itemsize: int, graphs: bool = True) -> float:
    """The microseconds of one step on an H100, from what its launches do: a rule of thumb that only has to rank plans.

    Without `graphs` nothing is captured: each launch is a call from Python.

    `work` is for each launch `("kernel", terms of a thread, threads of a sequence)`, `("tiles", multiplications of a
    block for a sequence, blocks)`, `("rows", stages, threads of a block)` or `("product", multiplications for a
    sequence, 1)`.
    """
    wide, calls, us = itemsize / 4, 0, 0.0
    for kind, amount, number in work:
        calls += 1
        if kind == "tiles":
            size = 4 if batch <= 4 else 16
            us += TILE + wide * -(-number * -(-batch // size) // TILES) * size * amount / TILE_RATE
        elif kind == "rows":
            us += STAGE * amount * -(-number * batch // THREADS)
        elif kind == "product":
            us += max(PRODUCT, wide * batch * amount / PRODUCT_RATE)
        else:
            us += max(TERM * amount, itemsize * batch * number * amount / CACHE)
    return us + LAUNCH * calls if graphs and way in CAPTURED else max(us, CALL * calls)


class Planner:
    """Makes and keeps the plans of one function.

    `wanted` is one of `PLANS`, the way to run loops that allow it; None chooses one for each size.
    """

    CLOCKS: ClassVar[dict[str, str]] = {}
    INPUTS: ClassVar[dict[str, tuple[Any, ...]]] = {}
    SCANS: ClassVar[dict[str, tuple[Any, ...]]] = {}
    FLAGS: ClassVar[dict[str, str]] = {}
    LENT: tuple[str, ...] = ()
    RANDOM = False
    SIZE = 0

    largest: Callable[..., Iterable[int]]
    allocate: Callable[..., None]
    renew: Callable[..., None]

    def __init__(self, xp: Any, kernels: Any, real: str, wanted: str | None = None) -> None:
        self.xp, self.kernels, self.real, self.wanted = xp, kernels, np.dtype(real), wanted
        self.plans: OrderedDict[Any, Plan] = OrderedDict()
        """Those that are kept, by queue and sizes; the one used last comes last."""

    def plan(
        self,
        steps: Mapping[str, int],
        batch: int,
        given: Collection[str] = (),
        training: bool = False,
        ragged: bool = False,
    ) -> Plan:
        """The plan for these sizes, made when first needed; `given` names the initial states that are passed.

        While a graph is captured it is a plan of its own, which nothing keeps: its memory is that of the graph.
        """
        sizes = tuple(int(steps[clock]) for clock in self.CLOCKS)
        captured = self.capturing()
        key = (self.queue(), sizes, int(batch), tuple(given), bool(training), ragged, self.wanted)
        with self.kernels.lock:
            found: Plan | None = None if captured else self.kernels.shelf.find(self, key)
            if found is not None:
                return found
            self.check(sizes, int(batch))
            p = self.empty_plan(sizes, int(batch), given, training, ragged, captured)
            for *_, way, _ in p.ways:
                self.kernels.need(way)
            self.allocate(p, *sizes, int(batch))
            if p.static:
                self.renew(p, *sizes, int(batch))
            if not captured:
                self.kernels.shelf.keep(self, key, p)
            return p

    def capturing(self) -> bool:
        """Whether the current stream is being captured.

        Raises:
            RuntimeError: it is, and this array module can't multiply matrices there.
        """
        found = bool(self.xp.cuda.get_current_stream().is_capturing())
        if found and not getattr(self.xp, "captures", False):
            raise RuntimeError(NO_CAPTURE)
        return found

    def queue(self) -> tuple[int, int, int]:
        """The current queue of work: device, stream, and the thread if its stream is its own.

        Each queue has its own plans, because work of two streams at the same time needs separate memory.
        """
        stream = self.xp.cuda.get_current_stream().ptr
        return self.xp.cuda.runtime.getDevice(), stream, threading.get_ident() if stream == PER_THREAD else 0

    def empty_plan(
        self,
        sizes: tuple[int, ...],
        batch: int,
        given: Collection[str],
        training: bool,
        ragged: bool,
        captured: bool = False,
    ) -> Plan:
        """A plan without memory. It is `static` if graphs of it are captured: then its arrays stay in place.

        Within the graph of somebody else (`captured`) nothing is captured; all launches go into that graph.
        """
        ways = self.ways(sizes, batch, captured)
        static = any(way in CAPTURED for *_, way, _ in ways) and not captured
        p = Plan(sizes=sizes, ragged=ragged, ways=ways, static=static, captured=captured, graphs={})
        p.__dict__.update(B=np.int32(batch), training=np.int32(training))
        for clock, size in zip(self.CLOCKS.values(), sizes, strict=True):
            setattr(p, f"T_{clock}", np.int32(size))
            setattr(p, f"steps_{clock}", [np.int32(t) for t in range(size)])
        for name, flag in self.FLAGS.items():
            setattr(p, flag, np.int32(name in given))
        return p

    def ways(self, sizes: Iterable[int], batch: int, captured: bool = False) -> list[tuple[str, str, str, str]]:
        """How each loop over time runs for so many steps and sequences: its name, its states, the way, and why.

        With `captured` all launches go into the graph of somebody else.
        """
        graphs = captured or max(sizes, default=0) <= MOST_STEPS
        return [(name, row[0], *self.way(row[1], row[2], row[3], batch, graphs)) for name, row in self.SCANS.items()]

    def way(
        self,
        ways: tuple[str, ...],
        refused: Mapping[str, str],
        work: Mapping[str, Iterable[Any]],
        batch: int,
        graphs: bool,
    ) -> tuple[str, str]:
        """The best of some ways to run a loop, and why; `refused` says why the others are impossible.

        For `work`, what a step has to do in each way, and `graphs` see `predicted`.
        """
        if self.wanted in ways:
            return str(self.wanted), "as requested"
        if self.wanted is not None:
            return ways[-1], f"there is no {self.wanted}: {refused.get(self.wanted, 'it is unknown')}"
        if "loop" in ways:
            return "loop", "each unit reads only its own past, so one kernel runs over all steps"
        times = {way: predicted(way, work[way], batch, self.real.itemsize, graphs) for way in ways}
        best = min(times, key=lambda way: times[way])
        texts = {way: f"{us:.{0 if us >= 9.95 else 1}f}" for way, us in times.items()}
        others = ", ".join(f"{way} {us}" for way, us in texts.items() if way != best) or "no other plan"
        said = f"about {texts[best]} us a step for {batch} sequences on an H100 ({others})"
        said += "" if graphs else f", launched one by one as there are more than {MOST_STEPS} steps"
        return best, f"{said}; {refused.get('loop', '')}"

    def check(self, sizes: tuple[int, ...], batch: int) -> None:
        """Raise ValueError for negative sizes, and for those that 32 bits cannot count."""
        if min(*sizes, batch, 0) < 0:
            raise ValueError(f"there are no {min(*sizes, batch, 0)} steps or sequences")
        countable("one array of this call", max(self.largest(*sizes, batch), default=0))
