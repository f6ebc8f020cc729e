"""Kernels of the plan `split` in which one block computes several stages of a step for one sequence.

What lies between two products of a step often is a chain of sums over units and of element-wise work, as in a layer
norm: many launches with little work each. No stage reads other sequences, so a barrier within a block is enough between
them, and the threads of a block share the terms of its sums.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, prod

from ..kernels.index import At, Ix
from ..kernels.pieces import Domain, Store
from ..kernels.races import Written
from ..kernels.values import Asked, Source
from ..kernels.writer import Draft, Kernel
from ..names import Names
from .tiles import WARP
from .writer import LOADED, CudaBody, CudaWriter, index_lines, kernel_of, loads_first, signature

THREADS = {"float": 768, "double": 384}
"""The greatest number of threads of a block: they have 80 registers each, and 168."""

MOST_TURNS = 128
"""A stage in which a block adds or computes more often in turn is spread over the device, in a launch of its own."""

UNROLLED = 4
"""The turns of a loop whose loads are under way at the same time."""

MOST_EARLY = 24
"""The values of all turns of a thread that are loaded before the first turn: each needs a register."""

SHUFFLES, BARRIERS = 5, 10
"""What a sum of a warp, and one of a block, cost besides, in additions."""


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


class RowBody(CudaBody):
    """The body of a stage, whose outermost sums are shared by a `team` of threads: none, a `warp` or the `block`.

    `terms` is the number of terms of the longest one, as far as that is known.
    """

    def __init__(self, source: Source, ready: Container[int], names: Names, team: str, asked: Asked | None) -> None:
        super().__init__(source, ready, names, asked)
        self.team, self.terms, self.shared, self.threads = team, 0, False, WARP
        self._adding: list[str] = []

    def reduction(self, names: Sequence[str]) -> None:
        """See `Body.reduction`."""
        self._adding = list(names) if len(self.scopes) == 1 else []

    @contextmanager
    def loop(self, wish: str, bound: str, count: int = 1) -> Iterator[str]:
        """See `Body.loop`."""
        names, self._adding = self._adding, []
        self.terms = max(self.terms, int(bound) if names and bound.isdigit() else 0)
        if not names or not self.team:
            with super().loop(wish, bound, count) as name:
                yield name
            return
        first, step = ("lane", WARP) if self.team == "warp" else ("threadIdx.x", self.threads)
        name = self.names.new(wish)
        turns = ceil(int(bound) / step) if bound.isdigit() else 0
        if turns:
            self.line(f"#pragma unroll {min(turns, UNROLLED)}")
        head = f"turn = 0; turn < {turns}; ++turn" if turns else f"{name} = {first}; {name} < {bound}; {name} += {step}"
        with self.block(f"for (int {head})"):
            if turns:
                self.line(f"const int {name} = turn * {step} + {first};")
                self.line(f"if ({name} >= {bound}) continue;")
            yield name
        for total in names:
            if self.team == "block" and self.shared:
                self.line("__syncthreads();")  # the last sum has been read
            self.line(f"{total} = sum_of_{self.team}({total}{', sums' if self.team == 'block' else ''});")
            self.shared = True


def sum_text(real: str) -> str:
    """The functions by which threads add up what each of them has, in an order that is always the same."""
    return f"""
__device__ {real} sum_of_warp({real} sum) {{
    #pragma unroll
    for (int mask = {WARP // 2}; mask; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
    return sum;
}}
__device__ {real} sum_of_block({real} sum, {real}* sums) {{
    sum = sum_of_warp(sum);
    const int lane = threadIdx.x % {WARP};
    if (lane == 0) sums[threadIdx.x / {WARP}] = sum;
    __syncthreads();
    return sum_of_warp(lane < blockDim.x / {WARP} ? sums[lane] : 0);
}}
"""


@dataclass(frozen=True)
class Planned:
    """A stage of a row kernel: the threads that share its sums, the elements of products that it needs, its terms."""

    row: Row
    team: str
    asked: Asked
    terms: int

    @property
    def alone(self) -> bool:
        """Whether all threads compute the one element of the stage, and know it in later stages without a load."""
        return self.team == "block" and self.row.size == 1


class Rows:
    """Merges the kernels of a step into row kernels, which `launch` writes into the driver."""

    def __init__(self, writer: CudaWriter, launch: Callable[[Kernel], str]) -> None:
        self.writer, self.launch, self.source = writer, launch, writer.source
        self.most = THREADS[self.source.scalars.real]

    def merged(self, lines: Sequence[str], rows: Sequence[Row]) -> list[str]:
        """The lines of a step, with one launch for neighbours among `rows`."""
        known = {self.launch(row.kernel): row for row in rows if not row.kernel.only_ragged}
        out: list[str] = []
        waiting: list[Planned] = []
        for line in lines:
            planned = self._planned(known[line]) if line in known else None
            if planned is None:
                out += [*self._launched(waiting), line]
                waiting = []
            else:
                waiting.append(planned)
        return [*out, *self._launched(waiting)]

    def _launched(self, planned: Sequence[Planned]) -> list[str]:
        """The launches of some stages; one alone without sums has more threads if it is spread over the device."""
        if len(planned) > 1 or any(one.team for one in planned):
            return [self.launch(self._kernel(planned))]
        return [self.launch(one.row.kernel) for one in planned]

    def _planned(self, row: Row) -> Planned | None:
        """How a block computes a stage, or None if it would take long."""
        body = self._body(row, "", None, Names(outer=self.source.memory.names))
        written = self.writer.stores(body, row.stores, _at(row.domain))
        size, terms, threads = row.size, max(1, body.terms), self.most
        turns = {
            "": ceil(size / threads) * terms,
            "warp": ceil(size / (threads // WARP)) * (ceil(terms / WARP) + SHUFFLES),
            "block": size * (ceil(terms / threads) + BARRIERS),
        }
        team = min(turns, key=turns.__getitem__) if body.terms else ""
        changed = team and any(
            read.element in written for read in body.reads
        )  # one thread stores, others may still read
        return None if changed or turns[team] > MOST_TURNS else Planned(row, team, body.asked, terms)

    def _body(self, row: Row, team: str, asked: Asked | None, names: Names) -> RowBody:
        return RowBody(self.source, row.ready, names, team, asked)

    def _kernel(self, planned: Sequence[Planned]) -> RowKernel:
        """The kernel of some stages."""
        threads = _threads([one.row.size if one.team != "block" else one.terms for one in planned], self.most)
        lines = ["const int lane = threadIdx.x % 32, b = blockIdx.x;", "const long long tb = (long long)t * B + b;"]
        if any(one.team == "block" for one in planned):
            lines.insert(0, f"__shared__ {self.source.scalars.real} sums[{WARP}];")
        names, known = Names(outer=self.source.memory.names), dict[tuple[int, At], str]()
        written: dict[str, Written] = {}
        for number, one in enumerate(planned):
            body = self._body(one.row, one.team, one.asked, names)
            body.shared, body.threads = one.row.size > 1, threads
            body.scopes[0].known |= known
            found = self.writer.stores(body, one.row.stores, _at(one.row.domain))
            lines += [*(["__syncthreads();"] if number else []), *_stage(one, body, found, threads)]
            written |= found
            if one.alone:
                values = {store.value for store in one.row.stores}
                known |= {key: text for key, text in body.scopes[0].known.items() if key[0] in values}
        name: str = self.source.memory.names.new(f"{self.writer.prefix}_{planned[-1].row.wish}_rows")
        params, args = signature(Draft(planned[0].row.domain, "step", body, lines, written), self.source, early=True)
        text = kernel_of(name, [*params, "int t"], lines, (threads, 1))
        kernel = RowKernel(name, text, (*args, "t"), "B", threads=threads)
        self.writer.made.append(kernel)
        return kernel


def _threads(sizes: Sequence[int], most: int) -> int:
    """The fewest threads with which a block is done after the fewest turns."""
    return min(range(WARP, most + 1, WARP), key=lambda n: sum(ceil(size / n) for size in sizes))


def _at(domain: Domain) -> At:
    """The element that a thread computes."""
    return At("t", "b", tuple(Ix(f"i{k}" if size != 1 else "0", 0, size) for k, size in enumerate(domain.shape)))


def _stage(one: Planned, body: RowBody, written: Mapping[str, Written], threads: int) -> list[str]:
    """The lines of one stage: each thread, warp or the block computes elements, and one of its threads stores them."""
    size = one.row.size
    first, step, storing = {
        "": ("threadIdx.x", threads, ""),
        "warp": (f"threadIdx.x / {WARP}", threads // WARP, "if (lane == 0) "),
        "block": ("0", 1, "if (threadIdx.x == 0) "),
    }[one.team]
    starts = tuple(f"{element} = " for element in written)
    lines = [f"{storing}{line}" if line.startswith(starts) else line for line in body.scopes[0].lines]
    turns = ceil(size / step)
    if one.alone:
        return lines
    head = [f"const int i = turn * {step} + {first};", f"if (i >= {size}) continue;"]
    head += index_lines(_at(one.row.domain).idx, "i")
    early, late = loads_first(lines, written)
    if one.team or not 1 < turns <= UNROLLED or turns * len(early) > MOST_EARLY:
        return _turns(turns, min(turns, UNROLLED) if not one.team else 1, [*head, *early, *late])
    found = [match for line in early if (match := LOADED.fullmatch(line))]
    arrays = [f"{match[1]} {match[2]}all[{turns}];" for match in found]
    loads = [f"{match[2]}all[turn] = {match[3]};{match[5] or ''}" for match in found]
    names = [f"const {match[1]} {match[2]} = {match[2]}all[turn];" for match in found]
    return ["{", *arrays, *_turns(turns, turns, [*head, *loads]), *_turns(turns, turns, [*head, *names, *late]), "}"]


def _turns(turns: int, unrolled: int, lines: Sequence[str]) -> list[str]:
    """A loop of a thread over its elements."""
    head = [f"#pragma unroll {unrolled}", f"for (int turn = 0; turn < {turns}; ++turn) {{"]
    return [*head, *(f"    {line}" for line in lines), "}"]
