"""Calls compiled functions: passes addresses of arrays, and keeps memory for the sizes used last."""

from __future__ import annotations

import ctypes
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from recurrency.backend import Call
from recurrency.graph.roots import START, TAPE
from recurrency.model.arrays import SYMBOLS
from recurrency.program.footprint import Footprint

from .. import sizes
from ..memory import Sizes, footprint
from ..signature import Signature
from ..sizes import LINE, lines
from . import compiler, objects, pool

Array = np.ndarray[Any, np.dtype[Any]]

MOST_PLANS = 8
"""The number of sizes for which memory is kept."""

SMALL = 1 << 21
"""One thread is faster than several for less arithmetic than this."""

LONG = 1 << 24
"""Calls with more arithmetic than this can be stopped between two steps."""

STOPPED = 2
"""The result of a call that was stopped before its end."""

GREATEST_WORKSPACE = 1 << 46
"""No machine has more bytes than this."""


class View(NamedTuple):
    """A result: an array or rows of it; whether it is copied, or read-only."""

    root: str
    name: str
    rows: slice | None
    copied: bool
    locked: bool


class Arena:
    """One piece of memory for arrays that become the caller's; it is reused when all of them are gone."""

    def __init__(self, shapes: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> None:
        sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in shapes.values()]
        self.memory = np.empty(sum(map(lines, sizes)) + LINE, np.uint8)
        at = -self.memory.ctypes.data % LINE
        self.arrays: dict[str, Array] = {}
        self.addresses: dict[str, int] = {}
        for (name, (shape, dtype)), size in zip(shapes.items(), sizes, strict=True):
            self.arrays[name] = self.memory[at : at + size].view(dtype).reshape(shape)
            self.addresses[name] = self.arrays[name].ctypes.data
            at += lines(size)
        self.count = 0

    def lend(self, views: Sequence[View]) -> None:
        """Prepare these results; the memory is not reused while a view of one exists."""
        self.plain = {v.root: self._one(v) for v in views if not v.copied}
        self.copied = {v.root: self._one(v) for v in views if v.copied}
        self.count = getrefcount(self.memory)

    def _one(self, view: View) -> Array:
        found = self.arrays[view.name]
        found = found[...] if view.rows is None else found[view.rows]
        found.flags.writeable = not view.locked
        return found

    @property
    def free(self) -> bool:
        """Whether nobody references its arrays."""
        return getrefcount(self.memory) == self.count


class Plan:
    """What calls with the same sizes share: the fields of the call, and memory."""

    def __init__(self, built: Built, steps: Sequence[int], batch: int, given: frozenset[str], ragged: bool) -> None:
        f = self.function = built.signature
        self.steps = dict(zip(f.words, steps, strict=True))
        self.batch = batch
        self.words = (ctypes.c_uint64 * len(built.places))()
        self.address = ctypes.addressof(self.words)
        self.places = built.places
        inputs = {name: array for name, array in f.inputs.items() if name in given}
        self.read = ["params", *(array.name for array in inputs.values())]
        self.dtypes = [built.real, *(built.real if array.real else SYMBOLS for array in inputs.values())]
        self.pick = _picker(list(inputs))
        for clock, count in self.steps.items():
            self.words[self.places[f.words[clock][0]]] = count
        for start, flag in f.flags.items():
            self.words[self.places[flag]] = START.of(start) in given
        self.words[self.places["B"]] = batch
        self.shapes = [self._shapes(built.real, tape) for tape in (True, False)]
        self.arenas: list[list[Arena]] = [[], []]
        self.threads = built.threads(self.steps, batch)
        self.barrier = np.zeros(4 * LINE, np.uint8)
        self.words[self.places["barrier"]] = self.barrier.ctypes.data + -self.barrier.ctypes.data % LINE
        self.views = [self._views(tape) for tape in (True, False)]
        # With lengths, `n_t` is not null: it has any value until the size of the workspace is known.
        for _, lengths, _ in f.words.values() if ragged else ():
            self.words[self.places[lengths]] = 1
        self.bytes = int(built.workspace(self.address, self.threads))
        if not 0 <= self.bytes < GREATEST_WORKSPACE:
            raise MemoryError(f"{f.name} would need {self.bytes:,} bytes for these sizes")
        self.words[self.places["bytes"]], self.work = self.bytes, self.places["work"]
        self._request(built)

    def _request(self, built: Built) -> None:
        """Make the request for `enter`: see `pool`."""
        kinds = [objects.wanted(dtype) for dtype in self.dtypes]
        read = [(self.address + 8 * self.places[n], *kind) for n, kind in zip(self.read, kinds, strict=True)]
        code = ctypes.cast(built.part, ctypes.c_void_p).value
        python = ctypes.addressof(pool.api()) if pool.api() else 0
        watch = self.words[self.places["barrier"]] + 2 * LINE
        watched = built.signature.work(self.steps, self.batch) >= LONG
        head = [code or 0, self.address, self.threads, python, watch, watched]
        self.requests = [(ctypes.c_uint64 * (7 + 3 * len(r)))(*head, len(r), *chain(*r)) for r in (read, [])]
        self.enter, self.enter_placed = map(ctypes.addressof, self.requests)
        self.slots = [self.places[name] for name in self.read]

    def _shapes(self, real: np.dtype[Any], tape: bool) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """The arrays that become the caller's: those of the tape, or the others."""
        f = self.function
        out = {
            array.name: (array.sizes(self.steps, self.batch), real if array.real else SYMBOLS)
            for array in f.fresh
            if (array.name in f.taped) is tape
        }
        if f.gradient is not None and not tape:
            out["gradient"] = ((f.gradient,), real)
        return out

    def _views(self, tape: bool) -> list[View]:
        """The results in the memory of the tape, or in the rest."""
        f, out = self.function, list[View]()
        for root, result in f.results.items():
            if (result.name in f.taped) is tape:
                row, steps = result.row, self.steps.get(str(result.clock), 0)
                locked = tape and not TAPE.has(root)
                rows = None if row is None else slice(row, row + steps)
                out.append(View(root, result.name, rows, result.copied and not locked, locked))
        if f.gradient is not None and not tape:
            out.append(View("gradient", "gradient", None, False, False))
        return out

    def arena(self, tape: bool) -> Arena:
        """Memory for results that nobody references."""
        kept = self.arenas[not tape]
        for k, arena in enumerate(kept):
            if arena.free:
                if not k:
                    return arena
                del kept[k]
                break
        else:
            arena = Arena(self.shapes[not tape])
            arena.lend(self.views[not tape])
            kept[2:] = []
        kept.insert(0, arena)
        self._place(arena)
        return arena

    def _place(self, arena: Arena) -> None:
        """Let the next call write into this memory."""
        for name, address in arena.addresses.items():
            self.words[self.places[name]] = address

    def inherit(self, other: Plan) -> None:
        """Take over the memory for results of a plan that is no longer used, where it has the same shapes."""
        for k in (0, 1):
            if other.arenas[k] and (self.shapes[k], self.views[k]) == (other.shapes[k], other.views[k]):
                self.arenas[k], other.arenas[k] = other.arenas[k], []
                self._place(self.arenas[k][0])


class Built:
    """A compiled function (see `recurrency.backend.Runner`), and its source."""

    def __init__(self, signature: Signature, source: str, dtype: str, optimise: str = "full") -> None:
        self.signature, self.source, self.real, self.optimise = signature, source, np.dtype(dtype), optimise
        self.places = {name: k for k, name in enumerate(signature.fields)}
        self.plans: OrderedDict[Any, list[Plan]] = OrderedDict()
        self.idle: list[tuple[int, int, Array]] = []
        """Workspaces that no call uses: bytes, address and memory; calls of all sizes share them."""
        self.ahead: Callable[[], None] | None = None
        """Called once, while this function is being compiled in the background."""
        self._library: Any = None

    @property
    def reals(self) -> dict[str, bool]:
        """The inputs, which may be passed by their addresses, `params` too: whether each holds real numbers."""
        return {name: array.real for name, array in self.signature.inputs.items()}

    def kept(self) -> tuple[Signature, str, str]:
        """What it was made of."""
        return self.signature, self.source, str(self.real)

    def begin(self) -> bool:
        """Compile it in the background, if this process has a processor for that; whether it is being compiled."""
        return pool.threads() > 1 and compiler.begin(self.source, pool.threads() + 1, self.optimise)

    def _load(self) -> None:
        name, ahead = self.signature.name, self.ahead
        self.ahead = None
        if self.begin():
            pool.begin()
            if ahead is not None:
                ahead()
        self._library = compiler.library(self.source, optimise=self.optimise)
        self.part: Any = self._library[f"{name}_part"]
        self.part.argtypes = (ctypes.c_void_p, ctypes.c_longlong, ctypes.c_longlong)
        self.enter = pool.enter()
        self.counts = self.signature.random
        self.workspace: Any = self._library[f"{name}_workspace"]
        self.workspace.argtypes, self.workspace.restype = (ctypes.c_void_p, ctypes.c_longlong), ctypes.c_longlong

    def footprint(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), ragged: bool = False
    ) -> Footprint:
        """See `recurrency.backend.Measured`; nothing is compiled."""
        sizes = Sizes(steps, batch, given, ragged, self.threads(steps, batch))
        return footprint(self.signature.rooms, self.real, sizes)

    def threads(self, steps: Mapping[str, int], batch: int) -> int:
        """The number of threads for a call of these sizes."""
        most: int = min(pool.threads(), pool.ceiling.value)
        if most == 1:
            return 1
        if self.signature.work(steps, batch) < SMALL:
            return 1
        wide = batch * self.signature.per_row >= sizes.WORTH
        return most if wide or not self.signature.loops else min(most, max(1, batch))

    def __call__(self, call: Call) -> dict[str, Array]:
        if self._library is None:
            self._load()
        key = (call.batch, call.lengths is None, pool.ceiling.value, *call.steps.items(), *call.given)
        try:
            plan = self.plans[key].pop()
        except (KeyError, IndexError):
            plan = self._planned(call)
        out = self._run(plan, call)
        self.plans.setdefault(key, []).append(plan)
        try:  # noqa: SIM105 - that takes a microsecond
            self.plans.move_to_end(key)
        except KeyError:  # another thread has just removed it
            pass
        if len(self.plans) > MOST_PLANS:
            self.plans.popitem(last=False)
        return out

    def _planned(self, call: Call) -> Plan:
        """A plan for new sizes; it takes over memory of the least recently used plan, which it replaces."""
        sizes = [call.steps[clock] for clock in self.signature.words]
        plan = Plan(self, sizes, call.batch, frozenset(call.given), call.lengths is not None)
        if len(self.plans) >= MOST_PLANS:
            try:
                _, gone = self.plans.popitem(last=False)
            except KeyError:  # another thread has just removed it
                return plan
            if gone:
                plan.inherit(gone[0])
        return plan

    def _run(self, plan: Plan, call: Call) -> dict[str, Array]:
        held: tuple[Any, ...] = (call.params, *plan.pick(call.given))
        request = plan.enter
        if isinstance(held[0], int):  # so are the others: addresses of arrays that the caller has checked
            for slot, address in zip(plan.slots, held, strict=True):
                plan.words[slot] = address
            held, request = (), plan.enter_placed
        counts: list[Array] = []
        if self.counts or call.lengths is not None:
            counts = self._counts(plan, call)
        tape, rest = plan.arena(True), plan.arena(False)
        workspace = self._workspace(plan.bytes)
        plan.words[plan.work] = workspace[1]
        wrong = self.enter(request, held)
        while wrong < 0 or wrong == STOPPED:  # Ctrl-C raises here, unless another handler is set
            held = held if wrong == STOPPED else _converted(held, -1 - wrong, plan.dtypes[-1 - wrong])
            wrong = self.enter(request, held)
        self.idle.append(workspace)
        del counts
        if wrong:
            raise MemoryError(f"{self.signature.name} needs a larger workspace than it was given")
        out = {root: array[...] for root, array in tape.plain.items()}
        for root, array in rest.plain.items():
            out[root] = array[...]
        for root, array in rest.copied.items():
            out[root] = array.copy()
        return out

    def _workspace(self, needed: int) -> tuple[int, int, Array]:
        """A workspace of this many bytes or more: one that is idle, else a new one, which replaces it."""
        try:
            workspace = self.idle.pop()
        except IndexError:
            return new_workspace(needed)
        return workspace if workspace[0] >= needed else new_workspace(needed)

    def _counts(self, plan: Plan, call: Call) -> list[Array]:
        """Write lengths, steps before the call, and what draws depend on; the result must live until the call ends."""
        held, words, places = [], plan.words, plan.places
        words[places["training"]] = call.training
        words[places["seed"]] = call.seed & (2**64 - 1)
        for clock, steps in plan.steps.items():
            _, number, before = plan.function.words[clock]
            for table, word, missing in ((call.lengths, number, steps), (call.offset, before, 0)):
                address = 0
                if table is not None:
                    found = np.broadcast_to(np.asarray(table.get(clock, missing), np.int64), (plan.batch,))
                    held.append(np.ascontiguousarray(found))
                    address = held[-1].ctypes.data
                words[places[word]] = address
        return held


def new_workspace(size: int) -> tuple[int, int, Array]:
    """The bytes, the address and the memory of a workspace; it begins on a cache line."""
    memory = np.empty(size + LINE, np.uint8)
    return size, memory.ctypes.data + -memory.ctypes.data % LINE, memory


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Array]], tuple[Array, ...]]:
    """A function that gets these values of a mapping."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: tuple([given[name] for name in names])


def _converted(held: tuple[Array, ...], k: int, dtype: np.dtype[Any]) -> tuple[Array, ...]:
    """The arrays, with one of them as C reads it: contiguous, aligned, and with NumPy's own object of the dtype.

    Arrays from another process have an equal dtype that is another object; a view gives them NumPy's.
    """
    return (*held[:k], np.require(held[k], dtype, ("C", "A")).view(dtype), *held[k + 1 :])
