"""Kernels of the plan `split` in which one block computes several stages of a step for one sequence.

What lies between two products of a step often is a chain of sums over units and of element-wise work, as in a layer
norm: many launches with little work each. No stage reads other sequences, so a barrier within a block is enough between
them, and the threads of a block share the terms of its sums.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

from recurrency.graph.types import Kind

from ..kernels.arrays import Array
from ..kernels.index import At, Ix
from ..kernels.pieces import Domain, Store
from ..kernels.races import Written
from ..kernels.values import Asked
from ..kernels.writer import Draft, Kernel
from ..names import Names
from .registers import MOST_KEPT, Grain, Registers, fewest_threads, grain
from .row_body import UNROLLED, Place, RowBody, Share
from .stretches import JOINS, NOTHING, Stretches
from .tiles import WARP
from .writer import LOADED, CudaWriter, index_lines, kernel_of, loads_first, signature

THREADS = {"float": 768, "double": 384}
"""The greatest number of threads of a block: they have 80 registers each, and 168."""

MOST_TURNS = 128
"""A stage in which a block adds or computes more often in turn is spread over the device, in a launch of its own."""

MOST_EARLY = 24
"""The values of all turns of a thread that are loaded before the first turn: each needs a register."""

STORED = re.compile(r" *(?:if \((?:threadIdx\.x|lane) == 0\) )?(\w+)(\[.*\] = .*;)")
"""A line that stores an element."""

SHUFFLES, BARRIERS = 5, 10
"""What a sum of a warp, and one of a block for each of several elements, cost besides, in additions.

The one sum of a stage by the whole block costs no more than one of a warp: its threads add up what they have in
registers.
"""


@dataclass(frozen=True)
class RowKernel(Kernel):
    """A kernel with a block of `threads` for each sequence; `count` is the number of sequences."""

    threads: int = WARP


@dataclass(frozen=True)
class Row:
    """A stage that a block could compute for one sequence, and the kernel that computes it for all."""

    kernel: Kernel
    domain: Domain
    stores: tuple[Store, ...]
    ready: Container[int]
    wish: str

    @property
    def size(self) -> int:
        """The number of elements of one sequence."""
        return prod(size for size in self.domain.shape if isinstance(size, int))


def sum_text(real: str) -> str:
    """The functions by which threads join what each of them has, in an order that is always the same."""
    greater = f"""
__device__ {real} greater_of({real} a, {real} b) {{ return a > b || a != a ? a : b; }}
"""
    return greater + "".join(_joined(real, kind) for kind in JOINS)


def _joined(real: str, kind: str) -> str:
    """The functions for sums, or peaks, of a warp and a block."""
    other = JOINS[kind].format("own", "__shfl_xor_sync(0xffffffffu, own, mask)")
    return f"""
__device__ {real} {kind}_of_warp({real} own) {{
    #pragma unroll
    for (int mask = {WARP // 2}; mask; mask /= 2) own = {other};
    return own;
}}
__device__ {real} {kind}_of_block({real} own, {real}* parts) {{
    own = {kind}_of_warp(own);
    const int lane = threadIdx.x % {WARP};
    if (lane == 0) parts[threadIdx.x / {WARP}] = own;
    __syncthreads();
    return {kind}_of_warp(lane < blockDim.x / {WARP} ? parts[lane] : {NOTHING[kind]});
}}
"""


@dataclass(frozen=True)
class Planned:
    """A stage of a row kernel: the threads that share its sums, the elements of products that it needs, its terms.

    With `alone`, all threads compute its one element, and know it in later stages without a load.
    """

    row: Row
    team: str
    asked: Asked
    terms: int
    alone: bool
    written: frozenset[str]

    @property
    def extent(self) -> int:
        """The elements that the threads of a block share: those that it computes, or adds up."""
        return self.terms if self.team == "block" else self.row.size


class Rows:
    """Merges the kernels of a step into row kernels, which `launch` writes into the driver."""

    def __init__(self, writer: CudaWriter, launch: Callable[[Kernel], str]) -> None:
        self.writer, self.launch, self.source = writer, launch, writer.source
        self.most = THREADS[self.source.scalars.real]

    def merged(self, lines: Sequence[str], rows: Sequence[Row]) -> list[str]:
        """The lines of a step, with one launch for neighbours among `rows`."""
        known = {self.launch(row.kernel): row for row in rows if not row.kernel.only_ragged}
        uses = _uses(lines)
        out: list[str] = []
        waiting: list[tuple[Planned, str]] = []
        for line in (*lines, ""):
            planned = self._planned(known[line]) if line in known else None
            if planned is not None:
                waiting.append((planned, line))
                continue
            out += self._launched([one for one, _ in waiting], uses - _uses(x for _, x in waiting))
            out += [line] if line else []
            waiting = []
        return out

    def _launched(self, planned: Sequence[Planned], others: Container[str]) -> list[str]:
        """The launches of some stages; one alone without sums has more threads if it is spread over the device.

        `others` are the arrays of all other launches of the step.
        """
        if len(planned) > 1 or any(one.team for one in planned):
            return [self.launch(self._kernel(planned, others))]
        return [self.launch(one.row.kernel) for one in planned]

    def _planned(self, row: Row) -> Planned | None:
        """How a block computes a stage, or None if it would take long."""
        body = RowBody(self.source, row.ready, Names(outer=self.source.memory.names), "", None)
        written = self.writer.stores(body, row.stores, _at(row.domain))
        size, terms, threads = row.size, max(1, body.terms), self.most
        turns = {
            "": ceil(size / threads) * terms,
            "block": size * (ceil(terms / threads) + (BARRIERS if size > 1 else SHUFFLES)),
            "warp": ceil(size / (threads // WARP)) * (ceil(terms / WARP) + SHUFFLES),
        }
        team = min(turns, key=turns.__getitem__) if body.terms else ""
        changed = any(read.element in written for read in body.reads)  # one thread stores, others may still read
        if (team and changed) or turns[team] > MOST_TURNS:
            return None
        loops = any("for (" in line for line in body.scopes[0].lines)
        alone = size == 1 and not changed and (team == "block" or not (team or loops))
        arrays = frozenset(found.array.name for found in written.values())
        return Planned(row, team, body.asked, terms, alone, arrays)

    def _kernel(self, planned: Sequence[Planned], others: Container[str]) -> RowKernel:
        """The kernel of some stages."""
        real = self.source.scalars.real
        wide = [one.extent for one in planned if one.extent > 1 and one.team != "warp"]
        shared = grain(wide, self.most, BARRIERS)
        threads = shared.threads if shared else fewest_threads([one.extent for one in planned], self.most)
        names = Names(outer=self.source.memory.names)
        share = Share(threads, shared, Registers(names, MOST_KEPT[real]), {x for one in planned for x in one.written})
        made = Stretches(threads // WARP, {"float": 4, "double": 8}[real])
        known, written = dict[tuple[int, At], str](), dict[str, Written]()
        for one in planned:
            stage = self._stage(one, share, names, known)
            made.add(stage.early, stage.lines, stage.body.reads, stage.written)
            written |= stage.written
            if one.alone:
                values = {store.value for store in one.row.stores}
                known |= {key: text for key, text in stage.body.scopes[0].known.items() if key[0] in values}
        head = ["const int lane = threadIdx.x % 32, b = blockIdx.x;", "const long long tb = (long long)t * B + b;"]
        if made.sums:
            head.insert(0, f"__shared__ __align__(16) {real} sums[{2 * made.sums * WARP}];")
        lines = [*head, *share.registers.declared(), *share.registers.needed(made.text())]
        inner = {w.array.name for w in written.values() if _is_inner(w.array) and w.array.name not in others}
        lines = _without(lines, inner)
        name: str = self.source.memory.names.new(f"{self.writer.prefix}_{planned[-1].row.wish}_rows")
        params, args = signature(
            Draft(planned[0].row.domain, "step", stage.body, lines, written), self.source, early=True
        )
        kernel = RowKernel(
            name, kernel_of(name, [*params, "int t"], lines, (threads, 1)), (*args, "t"), "B", threads=threads
        )
        self.writer.made.append(kernel)
        return kernel

    def _stage(self, one: Planned, share: Share, names: Names, known: dict[tuple[int, At], str]) -> Stage:
        """Write a stage: each thread, warp or the block computes elements, and one of its threads stores them."""
        body = RowBody(self.source, one.row.ready, names, one.team, one.asked)
        at = _at(one.row.domain)
        body.share, body.alone = share, one.alone
        body.place = Place(at.idx, one.row.size) if not one.team else Place()
        body.scopes[0].known |= known
        written = self.writer.stores(body, one.row.stores, at)
        if not one.team and not one.alone:
            body.keep(one.row.stores, at)
        early = [line for place, loads in body.early.items() for line in _loads(place, loads, share.grain)]
        return Stage(body, written, early, _lines(one, body, written, share))


@dataclass(frozen=True)
class Stage:
    """A stage that is written: its body, what it stores, loads for it that need not wait, and its lines."""

    body: RowBody
    written: dict[str, Written]
    early: list[str]
    lines: list[str]


def _uses(lines: Iterable[str]) -> Counter[str]:
    """How often lines of the driver name each array of a plan."""
    return Counter(re.findall(r"\bp\.(\w+)", "\n".join(lines)))


def _is_inner(array: Array) -> bool:
    """Whether nothing but its step can read an array."""
    return array.kind is Kind.STREAM and array.home == "own" and not array.timed and not array.carried


def _without(lines: Sequence[str], inner: Collection[str]) -> list[str]:
    """Lines of a kernel without those that store what none of them reads, in `inner` arrays, which no other reads."""
    pairs = [(line, STORED.fullmatch(line.split("  //")[0])) for line in lines]
    read = " ".join(found[2] if found else line.split("  //")[0] for line, found in pairs)
    unread = set(inner) - set(re.findall(r"\w+", read))
    return [line for line, found in pairs if found is None or found[1] not in unread]


def _at(domain: Domain) -> At:
    """The element that a thread computes."""
    return At("t", "b", tuple(Ix(f"i{k}" if size != 1 else "0", 0, size) for k, size in enumerate(domain.shape)))


def _loads(place: Place, loads: Sequence[str], shared: Grain | None) -> list[str]:
    """The lines that load elements which threads know from the start."""
    if shared is None or not place.names:
        return list(loads)
    slots = shared.slots(place.extent)
    return _turns(slots, slots, [*shared.index("i", place.extent), *index_lines(place.idx, "i"), *loads])


def _lines(one: Planned, body: RowBody, written: Mapping[str, Written], share: Share) -> list[str]:
    """The lines of a stage, with the loop of a thread over its elements."""
    size, threads = one.row.size, share.threads
    first, step, storing = {
        "": ("threadIdx.x", threads, ""),
        "warp": (f"threadIdx.x / {WARP}", threads // WARP, "if (lane == 0) "),
        "block": ("0", 1, "if (threadIdx.x == 0) "),
    }[one.team]
    if one.alone:
        storing = "if (threadIdx.x == 0) "
    starts = tuple(f"{element} = " for element in written)
    lines = [f"{storing}{line}" if line.startswith(starts) else line for line in body.scopes[0].lines]
    if one.alone:
        return lines
    slots = share.grain.slots(size) if share.grain is not None and not one.team else 0
    if share.grain is not None and slots:
        turns, unrolled, head = slots, slots, share.grain.index("i", size)
    else:
        turns = ceil(size / step)
        unrolled = min(turns, UNROLLED) if not one.team else 1
        head = [f"const int i = turn * {step} + {first};", f"if (i >= {size}) continue;"]
    head += index_lines(_at(one.row.domain).idx, "i")
    early, late = loads_first(lines, written)
    if one.team or unrolled != turns or turns == 1 or turns * len(early) > MOST_EARLY:
        return _turns(turns, unrolled, [*head, *early, *late])
    found = [match for line in early if (match := LOADED.fullmatch(line))]
    arrays = [f"{match[1]} {match[2]}all[{turns}];" for match in found]
    loads = [f"{match[2]}all[turn] = {match[3]};{match[5] or ''}" for match in found]
    names = [f"const {match[1]} {match[2]} = {match[2]}all[turn];" for match in found]
    return ["{", *arrays, *_turns(turns, turns, [*head, *loads]), *_turns(turns, turns, [*head, *names, *late]), "}"]


def _turns(turns: int, unrolled: int, lines: Sequence[str]) -> list[str]:
    """A loop of a thread over its elements."""
    head = [f"#pragma unroll {unrolled}", f"for (int turn = 0; turn < {turns}; ++turn) {{"]
    return [*head, *(f"    {line}" for line in lines), "}"]
