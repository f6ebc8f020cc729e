"""The plans of a generated CuPy module: memory for sizes and streams, and how each loop over time runs."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .arguments import countable

MOST_PLANS = 8
"""The number of plans that are kept, for the sizes used last."""

SMALL_BATCH = 16
"""Up to so many sequences, the steps of a loop are one captured graph."""

PLANS = ("loop", "step", "split", "gemm")
"""How a loop over time runs: in one kernel; with products in kernels, whose threads or blocks compute them, as a
captured graph; with products by cuBLAS."""

CAPTURED = ("step", "split")
"""The ways of which a graph is captured."""

PER_THREAD = 2
"""The CUDA stream that is different for each thread."""


class Plan:
    """Arrays and sizes for runs of one function, and how each of its loops runs."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this plan has no {name} now")

    def describe(self) -> str:
        """How each loop over time runs, and why."""
        return "\n".join(f"{states}: {way}: {why}" for _, states, way, why in self.ways) or "no loop over time"


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
        if kernels is not None:
            kernels.functions.append(self)

    def plan(
        self,
        steps: Mapping[str, int],
        batch: int,
        given: Collection[str] = (),
        training: bool = False,
        ragged: bool = False,
    ) -> Plan:
        """The plan for these sizes, made when first needed; `given` names the initial states that are passed."""
        sizes = tuple(int(steps[clock]) for clock in self.CLOCKS)
        key = (self.queue(), sizes, int(batch), tuple(given), bool(training), ragged, self.wanted)
        with self.kernels.lock:
            if key in self.plans:
                self.plans.move_to_end(key)
                return self.plans[key]
            self.check(sizes, int(batch))
            p = self.empty_plan(sizes, int(batch), given, training, ragged)
            for *_, way, _ in p.ways:
                self.kernels.need(way)
            self.allocate(p, *sizes, int(batch))
            if p.static:
                self.renew(p, *sizes, int(batch))
            while len(self.plans) >= MOST_PLANS:
                self.plans.popitem(last=False)
            self.plans[key] = p
            return p

    def queue(self) -> tuple[int, int, int]:
        """The current queue of work: device, stream, and the thread if its stream is its own.

        Each queue has its own plans, because work of two streams at the same time needs separate memory.
        """
        stream = self.xp.cuda.get_current_stream().ptr
        return self.xp.cuda.runtime.getDevice(), stream, threading.get_ident() if stream == PER_THREAD else 0

    def empty_plan(
        self, sizes: tuple[int, ...], batch: int, given: Collection[str], training: bool, ragged: bool
    ) -> Plan:
        """A plan without memory. It is `static` if graphs of it are captured: then its arrays stay in place."""
        ways = self.ways(batch)
        static = any(way in CAPTURED for *_, way, _ in ways)
        p = Plan(sizes=sizes, ragged=ragged, ways=ways, static=static, graphs={})
        p.__dict__.update(B=np.int32(batch), training=np.int32(training))
        for clock, size in zip(self.CLOCKS.values(), sizes, strict=True):
            setattr(p, f"T_{clock}", np.int32(size))
            setattr(p, f"steps_{clock}", [np.int32(t) for t in range(size)])
        for name, flag in self.FLAGS.items():
            setattr(p, flag, np.int32(name in given))
        return p

    def ways(self, batch: int) -> list[tuple[str, str, str, str]]:
        """How each loop over time runs for so many sequences: its name, its states, the way, and why."""
        return [(name, row[0], *self.way(row[1], row[2], batch)) for name, row in self.SCANS.items()]

    def way(self, ways: tuple[str, ...], refused: Mapping[str, str], batch: int) -> tuple[str, str]:
        """The best of some ways to run a loop, and why; `refused` says why the others are impossible."""
        if self.wanted in ways:
            return str(self.wanted), "as requested"
        if self.wanted is not None:
            return ways[-1], f"there is no {self.wanted}: {refused.get(self.wanted, 'it is unknown')}"
        if "loop" in ways:
            return "loop", "each unit reads only its own past, so one kernel runs over all steps"
        why = refused.get("loop", "")
        if "step" in ways and batch <= SMALL_BATCH:
            return "step", f"{batch} sequences are few, so a graph of kernels is captured; {why}"
        return "gemm", f"{batch} sequences, products by cuBLAS at each step; {why}"

    def check(self, sizes: tuple[int, ...], batch: int) -> None:
        """Raise ValueError for negative sizes, and for those that 32 bits cannot count."""
        if min(*sizes, batch, 0) < 0:
            raise ValueError(f"there are no {min(*sizes, batch, 0)} steps or sequences")
        countable("one array of this call", max(self.largest(*sizes, batch), default=0))
