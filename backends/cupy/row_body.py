"""The body of one stage of a row kernel, whose outermost sums and peaks the threads of a block share: see `rows`."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

from recurrency.graph.graph import Node
from recurrency.graph.op import Trait

from ..kernels.index import At, Ix
from ..kernels.pieces import Store
from ..kernels.values import Asked, Source
from ..names import Names
from .registers import Grain, Own, Registers, own_of
from .tiles import WARP
from .writer import CudaBody

UNROLLED = 4
"""The turns of a loop whose loads are under way at the same time."""

TOTAL = re.compile(r"(\w+) = (sum|peak)_of_threads\(\1\);")
"""The line that stands for the sum of what all threads of a block have added up, or for the greatest of it."""


@dataclass(frozen=True)
class Place:
    """What a thread computes: the indices of its element among `extent`, within so many scopes."""

    idx: tuple[Ix, ...] = ()
    extent: int = 1
    depth: int = 1

    @property
    def names(self) -> list[str]:
        """The indices that differ between threads."""
        return [ix.text for ix in self.idx if ix.text != "0"]


@dataclass
class Share:
    """How the threads of a kernel share its stages: their number, what they keep, and which arrays they write."""

    threads: int
    grain: Grain | None
    registers: Registers
    written: Collection[str]


class RowBody(CudaBody):
    """The body of a stage, whose outermost sums and peaks a `team` of threads shares: none, a `warp` or the `block`.

    `terms` is the number of terms of the longest one, as far as that is known. With `alone`, all threads compute the
    one element of the stage. What a thread loads for itself alone, and nobody writes, is in `early`.
    """

    def __init__(self, source: Source, ready: Container[int], names: Names, team: str, asked: Asked | None) -> None:
        super().__init__(source, ready, names, asked)
        self.team, self.terms, self.alone = team, 0, False
        self.share: Share | None = None
        self.place = Place()
        self.early: dict[Place, list[str]] = {}
        self._adding: list[str] = []
        self._kind = "sum"

    def reduction(self, names: Sequence[str], adds: bool) -> None:
        """See `Body.reduction`."""
        self._adding = list(names) if len(self.scopes) == 1 else []
        self._kind = "sum" if adds else "peak"

    @contextmanager
    def loop(self, wish: str, bound: str, count: int = 1) -> Iterator[str]:
        """See `Body.loop`."""
        names, kind, self._adding = self._adding, self._kind, []
        self.terms = max(self.terms, int(bound) if names and bound.isdigit() else 0)
        if not names or not self.team or self.share is None:
            with super().loop(wish, bound, count) as name:
                yield name
            return
        name, outer = self.names.new(wish), self.place
        turns, unrolled, lines = self._shared(name, bound, self.share)
        if turns:
            self.line(f"#pragma unroll {unrolled}")
        step = WARP if self.team == "warp" else self.share.threads
        head = (
            f"turn = 0; turn < {turns}; ++turn"
            if turns
            else f"{name} = {self._first}; {name} < {bound}; {name} += {step}"
        )
        if turns and self.alone:
            self.place = Place((Ix(name, 0, int(bound)),), int(bound), len(self.scopes) + 1)
        with self.block(f"for (int {head})"):
            for line in lines:
                self.line(line)
            yield name
        self.place = outer
        for total in names:
            self._added(total, kind)

    @property
    def _first(self) -> str:
        return "lane" if self.team == "warp" else "threadIdx.x"

    def _shared(self, name: str, bound: str, share: Share) -> tuple[int, int, list[str]]:
        """How often a thread of the team adds, how many turns of that are unrolled, and the lines that find a term."""
        if not bound.isdigit():
            return 0, 0, []
        slots = share.grain.slots(int(bound)) if share.grain is not None and self.alone else 0
        if share.grain is not None and slots:
            return slots, slots, share.grain.index(name, int(bound))
        step = WARP if self.team == "warp" else share.threads
        turns = ceil(int(bound) / step)
        lines = [f"const int {name} = turn * {step} + {self._first};", f"if ({name} >= {bound}) continue;"]
        return turns, min(turns, UNROLLED), lines

    def _added(self, total: str, kind: str) -> None:
        """The lines that join what the threads of a team have."""
        if self.team == "warp":
            self.line(f"{total} = {kind}_of_warp({total});")
        elif self.alone:
            self.line(f"{total} = {kind}_of_threads({total});")
        else:
            self.line("__syncthreads();")  # the last sum has been read
            self.line(f"{total} = {kind}_of_block({total}, sums);")

    # ------------------------------------------------------------------------------------------------------ registers

    def keep(self, stores: Sequence[Store], at: At) -> None:
        """Keep what a thread stores, for later stages."""
        assert self.share is not None
        for store in stores:
            there = at if store.size is None else at.to(at.idx[0].shifted(store.low), *at.idx[1:])
            text, id = self.value(store.value, there), self._origin(store.value)
            own = self._own(id, self.graph[id], there)
            if own is not None and own.varies:
                node = self.graph[id]
                self.line(f"{self.share.registers.fill(own, node.name or node.op.name, self.ctype(node))} = {text};")

    def _own(self, id: int, node: Node, at: At) -> Own | None:
        assert self.share is not None
        return own_of(id, self._of_kind(node, at), self.place.names, self.place.extent, self.share.grain)

    def _written(self, id: int, node: Node, at: At) -> str:
        """See `Body`: first of all, an element may be in a register."""
        own = self._own(id, node, at) if self.share is not None else None
        return (own and self._kept(own, id, node, at)) or super()._written(id, node, at)

    def _kept(self, own: Own, id: int, node: Node, at: At) -> str | None:
        """The register of an element, which is loaded early if no stage writes the array."""
        assert self.share is not None
        registers = self.share.registers
        text = registers.read(own)
        lies = Trait.NAMED in node.op.traits or id in self.ready
        hidden = id in self.source.turned or id in self.source.outputs
        if text is not None or hidden or not lies or len(self.scopes) != self.place.depth:
            return text
        place = self.program.places[id]
        array, there = self.source.memory.find(place, at)
        late = bool(node.delay) and at.t == "t" and not array.carried
        if (array.name in self.share.written and not late) or registers.used + own.slots > registers.most:
            return None
        text = registers.fill(own, node.name or node.op.name, self.ctype(node))
        registers.read(own)
        loads = self.early.setdefault(self.place if own.varies else Place(), [])
        loads.append(f"{text} = {array.element(there, place.delay)};")
        return text
