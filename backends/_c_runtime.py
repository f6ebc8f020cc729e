"""Calls of compiled functions: arrays by their addresses, memory that is kept for the sizes used last."""

from __future__ import annotations

import ctypes
import math
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from sys import getrefcount
from typing import Any

import numpy as np
from recurrency.backends import _c_cache, _c_pool
from recurrency.backends._c_function import CFunction
from recurrency.backends._c_memory import Room, Sizes, footprint, rooms
from recurrency.backends._cuda_index import clock_name
from recurrency.backends._cuda_memory import Array as Place

from recurrency.graph.types import Kind
from recurrency.program.footprint import Footprint

Array = np.ndarray[Any, np.dtype[Any]]

LINE = 64
"""Bytes of a cache line, at multiples of which arrays of ours begin."""

MOST_PLANS = 8
"""For so many sizes memory is kept."""

SMALL = 1 << 21
"""Less arithmetic than this is done faster by one thread than by several."""

GREATEST_WORKSPACE = 1 << 46
"""No machine has more bytes than this."""


class Arena:
    """One piece of memory for arrays that become the caller's; it is used again when all of them are gone."""

    def __init__(self, shapes: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> None:
        sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in shapes.values()]
        self.memory = np.empty(sum(-(-size // LINE) * LINE for size in sizes) + LINE, np.uint8)
        at = -self.memory.ctypes.data % LINE
        self.arrays: dict[str, Array] = {}
        self.addresses: dict[str, int] = {}
        for (name, (shape, dtype)), size in zip(shapes.items(), sizes, strict=True):
            self.arrays[name] = self.memory[at : at + size].view(dtype).reshape(shape)
            self.addresses[name] = self.arrays[name].ctypes.data
            at += -(-size // LINE) * LINE
        self.count = getrefcount(self.memory)

    @property
    def free(self) -> bool:
        """Whether nobody holds an array of it."""
        return getrefcount(self.memory) == self.count


class Plan:
    """What calls for the same sizes have in common: the words of the call, and memory."""

    def __init__(self, built: Built, steps: Sequence[int], batch: int, given: frozenset[str], ragged: bool) -> None:
        f = self.function = built.function
        self.steps = dict(zip(f.memory.clocks, steps, strict=True))
        self.batch = batch
        self.words = (ctypes.c_uint64 * len(built.places))()
        self.address = ctypes.addressof(self.words)
        self.places = built.places
        self.inputs = [
            (name, built.real if array.real else np.dtype(np.int64))
            for name, array in f.inputs.items()
            if name in given
        ]
        self.read = ["params", *(f.inputs[name].name for name, _ in self.inputs)]
        for clock, count in self.steps.items():
            self.words[self.places[f"T_{clock_name(clock)}"]] = count
        for start, flag in f.memory.flags.items():
            self.words[self.places[flag]] = f"start:{start}" in given
        self.words[self.places["B"]] = batch
        self.shapes = [self._shapes(built.real, tape) for tape in (True, False)]
        self.arenas: list[list[Arena]] = [[], []]
        self.threads = built.threads(self.steps, batch)
        self.work: Array | None = None
        self.barrier = np.zeros(2 * LINE, np.uint8)
        self.words[self.places["barrier"]] = self.barrier.ctypes.data + -self.barrier.ctypes.data % LINE
        self.views = [self._views(tape) for tape in (True, False)]
        # With lengths, `n_t` is not null: it is set to anything until the size of the workspace is known.
        for clock in f.memory.clocks if ragged else ():
            self.words[self.places[f"n_{clock_name(clock)}"]] = 1
        self.bytes = int(built.workspace(self.address, self.threads))
        if not 0 <= self.bytes < GREATEST_WORKSPACE:
            raise MemoryError(f"{f.name} would need {self.bytes:,} bytes for these sizes")
        self.words[self.places["bytes"]] = self.bytes
        self._request(built)

    def _request(self, built: Built) -> None:
        """What `enter` is called with: see `_c_pool`."""
        pairs = [number for name in self.read for number in (0, self.address + 8 * self.places[name])]
        code = ctypes.cast(built.part, ctypes.c_void_p).value
        head = [code or 0, self.address, self.threads, _c_pool.behind(), len(self.read)]
        self.request = (ctypes.c_uint64 * (len(head) + len(pairs)))()
        self.request[:] = [*head, *pairs]
        self.enter = ctypes.addressof(self.request)
        self.objects = range(len(head), len(self.request), 2)

    def _shapes(self, real: np.dtype[Any], tape: bool) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """The arrays that become the caller's: those that a backward run reads, or the others."""
        f = self.function
        out = {
            array.name: (self.shape(array), real if array.real else np.dtype(np.int64))
            for array in f.arrays
            if array.name in f.fresh and (array.name in f.taped) is tape
        }
        if f.has_gradient and not tape:
            out["gradient"] = ((f.layout.size,), real)
        return out

    def shape(self, array: Place) -> tuple[int, ...]:
        """The shape of an array with all its rows."""
        lead: tuple[int, ...] = (self.batch,) if array.kind >= Kind.SEQUENCE else ()
        if array.timed:
            lead = (self.steps[str(array.clock)] + array.front + array.behind, self.batch)
        return (*lead, *(self.steps[d] if isinstance(d, str) else d for d in array.shape))

    def _views(self, tape: bool) -> list[tuple[str, str, slice | None, bool, bool]]:
        """The results in the memory of the tape or of the rest: name, array, rows, whether it is copied, or locked."""
        f, out = self.function, []
        for root, result in f.results.items():
            array = result.array
            if (array.name in f.taped) is tape:
                steps = self.steps[str(array.clock)] if array.timed else 0
                whole = not array.timed or (not array.front and not array.behind)
                rows = None if whole else slice(result.row, result.row + steps)
                locked = tape and not root.startswith("tape:")
                out.append((root, array.name, rows, result.copied and not locked, locked))
        if f.has_gradient and not tape:
            out.append(("gradient", "gradient", None, False, False))
        return out

    def arena(self, tape: bool) -> Arena:
        """Memory for results that nobody holds."""
        kept = self.arenas[not tape]
        for k, arena in enumerate(kept):
            if arena.free:
                if not k:
                    return arena
                del kept[k]
                break
        else:
            arena = Arena(self.shapes[not tape])
            kept[2:] = []
        kept.insert(0, arena)
        for name, address in arena.addresses.items():
            self.words[self.places[name]] = address
        return arena


class Built:
    """A compiled function (see `recurrency.backend.Runner`), and its source."""

    def __init__(self, function: CFunction, source: str, dtype: str) -> None:
        self.function, self.source, self.real = function, source, np.dtype(dtype)
        self.places = {name: k for k, (name, _) in enumerate(function.call_fields())}
        self.optional = [f"start:{start}" for start in function.memory.flags]
        self.optional += [name for name in function.inputs if name not in self.optional]
        self.plans: OrderedDict[Any, list[Plan]] = OrderedDict()
        self._library: Any = None

    def _load(self) -> None:
        name = self.function.name
        self._library = _c_cache.library(self.source)
        self.part: Any = self._library[f"{name}_part"]
        self.part.argtypes = (ctypes.c_void_p, ctypes.c_longlong, ctypes.c_longlong)
        self.enter = _c_pool.enter()
        self.counts = self.function.random
        self.workspace: Any = self._library[f"{name}_workspace"]
        self.workspace.argtypes, self.workspace.restype = (ctypes.c_void_p, ctypes.c_longlong), ctypes.c_longlong

    @cached_property
    def rooms(self) -> list[Room]:
        """Its arrays, for forecasts."""
        return rooms(self.function)  # type: ignore[no-any-return]

    def footprint(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), ragged: bool = False
    ) -> Footprint:
        """See `recurrency.backend.Measured`; nothing is compiled."""
        sizes = Sizes(steps, batch, given, ragged, self.threads(steps, batch))
        return footprint(self.function, self.rooms, self.real, sizes)  # type: ignore[no-any-return]

    def threads(self, steps: Mapping[str, int], batch: int) -> int:
        """How many threads such a call is worth."""
        most = min(_c_pool.threads(), _c_pool.ceiling.value)
        if most == 1:
            return 1
        program = self.function.program
        scans = any(region.scans for region in program.regions)
        work = program.flops(steps, batch)
        return 1 if work < SMALL else min(most, max(1, batch)) if scans else most

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
        if self._library is None:
            self._load()
        f = self.function
        sizes = [steps[clock] for clock in f.memory.clocks]
        key = (batch, *sizes, lengths is None, _c_pool.ceiling.value, *[name in given for name in self.optional])
        try:
            plan = self.plans[key].pop()
        except (KeyError, IndexError):
            plan = Plan(self, sizes, batch, frozenset(given), lengths is not None)
        out = self._run(plan, params, given, lengths, training, seed, offset)
        self.plans.setdefault(key, []).append(plan)
        with suppress(KeyError):  # another thread has just dropped it
            self.plans.move_to_end(key)
        if len(self.plans) > MOST_PLANS:
            self.plans.popitem(last=False)
        return out

    def _run(
        self, plan: Plan, params: Array, given: Mapping[str, Array], lengths: Mapping[str, Array] | None,
        training: bool, seed: int, offset: Mapping[str, Array] | None,
    ) -> dict[str, Array]:  # fmt: skip
        request, objects = plan.request, plan.objects
        held: list[Any] = [params]
        for name, dtype in plan.inputs:
            array = given[name]
            if array.dtype is not dtype or not array.flags.c_contiguous:
                array = np.ascontiguousarray(array, dtype)
            held.append(array)
        for place, array in zip(objects, held, strict=True):
            request[place] = id(array)
        if self.counts or lengths is not None:
            held += self._counts(plan, lengths, offset, training, seed)
        arenas = [plan.arena(True), plan.arena(False)]
        if plan.work is None:
            plan.work = np.empty(plan.bytes + LINE, np.uint8)
            plan.words[plan.places["work"]] = plan.work.ctypes.data + -plan.work.ctypes.data % LINE
        if self.enter(plan.enter):
            raise MemoryError(f"{self.function.name} needs a larger workspace than it was given")
        out = {}
        for arena, views in zip(arenas, plan.views, strict=True):
            for root, name, rows, copied, locked in views:
                array = arena.arrays[name]
                array = array[...] if rows is None else array[rows]
                if copied:
                    array = array.copy()
                elif locked:
                    array.flags.writeable = False
                out[root] = array
        return out

    def _counts(
        self, plan: Plan, lengths: Mapping[str, Array] | None, offset: Mapping[str, Array] | None, training: bool,
        seed: int,
    ) -> list[Array]:  # fmt: skip
        """How many steps sequences have, how many came before, and what draws depend on; gives what is to be held."""
        held, words, places = [], plan.words, plan.places
        words[places["training"]] = training
        words[places["seed"]] = seed & (2**64 - 1)
        for clock, steps in plan.steps.items():
            word = clock_name(clock)
            for table, prefix, missing in ((lengths, "n", steps), (offset, "before", 0)):
                address = 0
                if table is not None:
                    found = np.broadcast_to(np.asarray(table.get(clock, missing), np.int64), (plan.batch,))
                    held.append(np.ascontiguousarray(found))
                    address = held[-1].ctypes.data
                words[places[f"{prefix}_{word}"]] = address
        return held
