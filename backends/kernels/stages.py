"""Divides the nodes of a region into stages, and decides which values are stored.

A stage is one launch, or several that do not depend on one another. Cheap values, and those that only their own stage
reads, are computed where they are read and never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from recurrency.graph.op import Op, Trait
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.program import Program, Region

LIGHT = 4
"""Values of at most so many operations are recomputed instead of stored."""

HEAVY = 1000
DEEP = 40
"""The greatest length of a chain of values that are computed within one another."""

COSTS = {"take": 2, "random": HEAVY, "product": HEAVY, "sum": HEAVY, "peak": HEAVY, "sum_time": HEAVY}
COSTS |= {"sum_batch": HEAVY, "start": 0, "final": 3, "pick": 2, "place": 2, "put": 2, "shift": 1, "reverse": 1}
COSTS |= {"history": 3, "unhistory": 2, "opening": 2, "unopening": 2, "slide": 2}
COSTS |= {"cumsum": HEAVY, "argmax": HEAVY}


def _is_index(op: Op) -> bool:
    """Whether the result consists of elements of the argument whose indices are known when the text is written."""
    return Trait.VIEW in op.traits and Trait.LOOPS not in op.traits


@dataclass
class Stage:
    """The driver computes `barriers` (matrix products, initial states); kernels compute `stores` into memory.

    `rows` are delayed uses whose initial values have to be written before the first step.
    """

    barriers: list[int] = field(default_factory=list)
    stores: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


class Stages:
    """The stages of every region of a program, for one way to compute its products.

    `by_driver` says which nodes are matrix products of the driver; `forced` are values to be stored for another reason.
    """

    def __init__(
        self, program: Program, by_driver: Callable[[int], bool], forced: Collection[int] = frozenset()
    ) -> None:
        self.program, self.graph, self.by_driver = program, program.graph, by_driver
        self.region = {id: region for region in program.regions for id in region.ids}
        self.users: dict[int, int] = {}
        for id in self.region:
            for arg, _ in self.reads(id):
                self.users[arg] = self.users.get(arg, 0) + 1
        self.weights: dict[int, int] = {}
        self.at: dict[int, int] = {}
        self.depth: dict[int, int] = {}
        self.cut: set[int] = set()
        self.stored: dict[int, int] = {}
        self.rows: dict[int, int] = {}
        self.wanted_outside: set[int] = set()
        self._inline: dict[int, set[int]] = {}
        self._deadline: dict[int, int] = {}
        self.last: dict[int, int] = {}
        for region in program.regions:
            self._forwards(region)
        for id in (*self.graph.roots.values(), *forced):
            self._outside(id, True)
        for region in reversed(program.regions):
            self._backwards(region)
        self.always = frozenset(id for id in self.region if self._is_row(id) or self.is_leaf(id))

    # ------------------------------------------------------------------------------------------------------- reads

    def reads(self, id: int) -> Iterator[tuple[int, str]]:
        """What a node reads at the same step: each argument, and how: `same` element, `other` ones, `row`, `memory`."""
        node = self.graph[id]
        if id in self.program.sums:
            inner = self.program.sums[id]
            hidden = inner not in self.region
            reads = [(a, "other") for a in self.graph[inner].args] if hidden else [(inner, "row")]
        else:
            reads = [(a, self._relation(id, k)) for k, a in enumerate(node.args)]
        if self._is_barrier(id) and Trait.FIRST not in node.op.traits:
            reads = [(a, "memory") for a, _ in reads]
        for arg, how in reads:
            if number(self.graph, arg) is None:
                yield arg, how

    def _relation(self, id: int, position: int) -> str:
        node = self.graph[id]
        if Trait.DELAYS in node.op.traits and position == 0:
            return "memory" if id not in self.program.copies or self.region[id].scans else "other"
        if node.op.elementwise or node.op.traits & {Trait.PERMUTES, Trait.FIRST}:
            return "same" if self.graph[node.args[position]].type.kind is node.type.kind else "other"
        if Trait.REDUCES in node.op.traits:
            return "row"
        return "other"

    def is_late(self, id: int, arg: int) -> bool:
        """Whether a node reads an argument at another step of the loop that both are in."""
        node = self.graph[id]
        return bool(node.delay) and self.region[id].scans and arg == node.args[0]

    def _is_barrier(self, id: int) -> bool:
        """Whether the driver computes a node."""
        return Trait.FIRST in self.graph[id].op.traits or self.by_driver(id)

    def is_leaf(self, id: int) -> bool:
        """Whether a value is in memory from the start."""
        place = self.program.places.get(id)
        given = place is not None and self.program.buffers[place.buffer].home == "params" and not place.views
        traits = self.graph[id].op.traits
        return bool(traits & {Trait.INPUT, Trait.PARAMETER}) or (given and Trait.TILES in traits)

    def _is_row(self, id: int) -> bool:
        """Whether a delayed use is only a row of an array, which needs no computation."""
        return Trait.DELAYS in self.graph[id].op.traits and (id not in self.program.copies or self.region[id].scans)

    # ---------------------------------------------------------------------------------------------------- forwards

    def _forwards(self, region: Region) -> None:
        """Find the earliest stage of each node."""
        for id in region.ids:
            self.weights[id] = self._weight(id)
            self.at[id] = max((self._after(id, arg, how) for arg, how in self.reads(id)), default=0)
            self.depth[id] = 1 + max((self.depth[a] for a, _ in self.reads(id) if self._together(id, a)), default=0)
            if self.depth[id] > DEEP:
                self.cut.add(id)
                self.depth[id] = 1
                self.at[id] = max((self._after(id, arg, "memory") for arg, _ in self.reads(id)), default=0)
        self.last[region.number] = max((self.at[id] for id in region.ids), default=0)

    def _together(self, id: int, arg: int) -> bool:
        own = not self.is_leaf(arg) and self.region[arg] is self.region[id]
        return own and not self.is_late(id, arg) and self.at[arg] == self.at[id]

    def _after(self, id: int, arg: int, how: str) -> int:
        """The first stage in which a node may read an argument in this way."""
        if self.is_leaf(arg) or self.region[arg] is not self.region[id] or self.is_late(id, arg):
            return 0
        if self._is_barrier(arg) or (self._is_row(arg) and not self.region[id].scans):
            return self.at[arg] + 1
        return self.at[arg] + (not self._may_compute(id, arg, how))

    def _sums_sequences(self, id: int) -> bool:
        node = self.graph[id]
        return Trait.ACCUMULATES in node.op.traits and node.type.kind is Kind.STATIC

    def _may_compute(self, id: int, arg: int, how: str) -> bool:
        """Whether a node may recompute an argument instead of reading it from memory."""
        if how == "memory" or id in self.cut or self._sums_sequences(arg):
            return False
        if how == "row":
            return self.weights[arg] <= LIGHT or (self.users[arg] == 1 and self.weights[arg] < HEAVY)
        return how == "same" or self.weights[arg] <= LIGHT

    def _weight(self, id: int) -> int:
        """The cost of computing an element from values in memory."""
        node = self.graph[id]
        if self.is_leaf(id) or self._is_row(id) or Trait.NAMED in node.op.traits:
            return 0
        if self._is_barrier(id):
            return HEAVY
        own = 0 if _is_index(node.op) else COSTS.get(node.op.name, node.op.cost)
        return min(HEAVY, own + sum(self._weight_read(id, a) for a, _ in self.reads(id)))

    def _weight_read(self, id: int, arg: int) -> int:
        """The cost that an argument adds to a node: none if the argument will be in memory."""
        weight = 0 if self.is_leaf(arg) or self.is_late(id, arg) or self._is_barrier(arg) else self.weights[arg]
        other = not self.is_leaf(arg) and self.region[arg] is not self.region[id]
        return 0 if other and (weight > LIGHT or self.region[arg].scans) else weight

    # --------------------------------------------------------------------------------------------------- backwards

    def _backwards(self, region: Region) -> None:
        """Find the stage that computes each node, and whether it is stored; users come before their arguments."""
        last = self.last[region.number]
        for id in region.ids:
            if region.scans and self.graph[id].delay:
                if id in self.program.copies:
                    self.stored[id] = last
                    self._wanted(id, self.graph[id].args[0], "same", last)
                else:
                    self._wanted(id, self.graph[id].args[0], "memory", last + 1)
        for id in reversed(region.ids):
            if not self.is_leaf(id) and not (region.scans and self.graph[id].delay):
                self._decide(id, last)
            elif self.graph[id].delay:
                for arg in self.graph[id].args[1:]:
                    self._outside(arg, False)

    def _decide(self, id: int, last: int) -> None:
        inline, deadline = self._inline.get(id, set()), self._deadline.get(id)
        if self._is_alias(id) and deadline is not None and not self._is_row(id):
            self._wanted(id, self.graph[id].args[0], "memory", deadline + 1)
            deadline = None
        if self._is_barrier(id) or self._is_row(id):
            inline, deadline = set(), self.at[id] if inline or deadline is not None else None
        elif deadline is None and len(inline) > 1 and self.weights[id] > LIGHT and not self._is_alias(id):
            deadline = min(inline)
        if deadline is not None:
            deep = any(self._together(id, a) for a, _ in self.reads(id))
            stage = self.at[id] if deep else min([deadline, last, *inline])
            assert stage >= self.at[id], f"%{id} is wanted in stage {stage}, before it can be computed"
            (self.rows if self._is_row(id) else self.stored)[id] = stage
            inline = {stage}
        for arg, how in self.reads(id):
            for stage in inline:
                self._wanted(id, arg, how, stage)

    def _is_alias(self, id: int) -> bool:
        return _is_index(self.graph[id].op) and id not in self.program.copies

    def _wanted(self, id: int, arg: int, how: str, stage: int) -> None:
        """Note that a node reads an argument in a stage."""
        if number(self.graph, arg) is not None or self.is_leaf(arg):
            return
        if self.region[arg] is not self.region[id]:
            self._outside(arg, not self._may_compute(id, arg, how if how == "memory" else "other"))
        elif self._is_barrier(arg) or not self._may_compute(id, arg, how):
            self._deadline[arg] = min(self._deadline.get(arg, stage - 1), stage - 1)
        else:
            self._inline.setdefault(arg, set()).add(stage)

    def _outside(self, id: int, memory: bool) -> None:
        """Note that another region reads a value: it recomputes a light one, and finds others in memory."""
        if number(self.graph, id) is not None or self.is_leaf(id):
            return
        light = not memory and not self.region[id].scans and not self._is_barrier(id) and not self._is_row(id)
        if light:
            for arg, how in self.reads(id):
                self._outside(arg, not self._may_compute(id, arg, how if how == "memory" else "other"))
        else:
            self.wanted_outside.add(id)
            self._deadline.setdefault(id, self.last[self.region[id].number])

    # ----------------------------------------------------------------------------------------------------- results

    def of(self, region: Region) -> list[Stage]:
        """The stages of a region."""
        out = [Stage() for _ in range(self.last[region.number] + 1)]
        for id in region.ids:
            if id in self.stored:
                stage = out[self.stored[id]]
                (stage.barriers if self._is_barrier(id) else stage.stores).append(id)
            elif id in self.rows:
                out[self.rows[id]].rows.append(id)
        return out

    def ready(self, region: Region, stage: int) -> Ready:
        """The values that are in memory when a stage of a region begins."""
        return Ready(self, region, stage)


@dataclass(frozen=True)
class Ready:
    """The values that are in memory when a stage of a region begins."""

    stages: Stages
    region: Region
    now: int

    def __contains__(self, id: object) -> bool:
        stages = self.stages
        if id in stages.always:
            return True
        if not isinstance(id, int) or id not in stages.stored:
            return False
        own = stages.region[id]
        return own.number < self.region.number or (own is self.region and stages.stored[id] < self.now)
