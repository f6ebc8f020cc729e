"""The order of computation: the condensed graph cut into regions, and each region into kernels."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.passes.recurrence import recurrences
from recurrency.passes.rewriting import number
from recurrency.program.gathering import CALLER, gathered
from recurrency.program.program import Kernel, Region


@dataclass
class Task:
    """What has to run in one piece: a single node, or a recurrence."""

    ids: tuple[int, ...]
    kind: str
    clock: str | None
    needs: set[int] = field(default_factory=set)

    @property
    def scans(self) -> bool:
        """Whether it runs step by step."""
        return self.kind.startswith("scan")


class Queue:
    """Items that are ready to run, in the order of the graph, by group."""

    def __init__(self) -> None:
        self.heaps: dict[Hashable, list[int]] = {}
        self.all: list[tuple[int, Hashable]] = []
        """All ranks with their groups, each once; a rank that was taken from its group is dropped when it is found."""

    def push(self, group: Hashable, rank: int) -> None:
        """Add something that is ready."""
        heappush(self.heaps.setdefault(group, []), rank)
        heappush(self.all, (rank, group))

    def pop(self, group: Hashable) -> int | None:
        """The first item of a group, which leaves the queue; None if there is none."""
        heap = self.heaps.get(group)
        return heappop(heap) if heap else None

    def first(self) -> Hashable:
        """The group of the first item of all; None if nothing is ready."""
        while self.all:
            rank, group = self.all[0]
            if self.heaps[group][:1] == [rank]:
                return group
            heappop(self.all)
        return None


def cut(graph: Graph, hidden: frozenset[int], fuse: bool, gather: bool = False) -> tuple[Region, ...]:
    """The regions of a graph. Nodes in `hidden` and literal numbers are not computed by themselves.

    A region takes every node of its kind that is ready. When none is left, the next region begins. With `gather`,
    loops then take element-wise nodes of other regions.
    """
    schedule = _Schedule(_tasks(graph, hidden))
    users = graph.said(_users)
    regions: list[Region] = []
    while tasks := schedule.next_region():
        first = tasks[0]
        ids = [id for task in tasks for id in task.ids]
        order = _grouped(graph, ids, first.scans, hidden) if fuse else ids
        regions.append(Region(len(regions), first.kind, first.clock, kernels(graph, order, fuse, users)))
    return _gathered(graph, regions, hidden, fuse, users) if gather else tuple(regions)


def _gathered(
    graph: Graph, regions: Sequence[Region], hidden: frozenset[int], fuse: bool, users: Mapping[int, set[int]]
) -> tuple[Region, ...]:
    """The regions after loops have taken nodes of others."""
    out: list[Region] = []
    for region, found in gathered(graph, regions, users):
        ids: Sequence[int] = region.ids
        if set(found) != set(ids):
            ids = _grouped(graph, found, region.scans, hidden) if fuse else found
        out.append(Region(len(out), region.kind, region.clock, kernels(graph, ids, fuse, users)))
    return tuple(out)


class _Schedule:
    """Hands out tasks as they become ready."""

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = tasks
        self.waits = [len(task.needs) for task in tasks]
        self.users: dict[int, list[int]] = {}
        self.queue = Queue()
        for rank, task in enumerate(tasks):
            for need in task.needs:
                self.users.setdefault(need, []).append(rank)
            if not task.needs:
                self.queue.push((task.kind, task.clock), rank)

    def next_region(self) -> list[Task]:
        """All tasks of one kind that can run now; a scan alone."""
        group = self.queue.first()
        taken: list[Task] = []
        while (rank := self.queue.pop(group)) is not None:
            taken.append(self.tasks[rank])
            self._done(taken[-1])
            if taken[-1].scans:
                break
        return taken

    def _done(self, task: Task) -> None:
        for user in (u for id in task.ids for u in self.users.get(id, ())):
            self.waits[user] -= 1
            if not self.waits[user]:
                self.queue.push((self.tasks[user].kind, self.tasks[user].clock), user)


def _tasks(graph: Graph, hidden: frozenset[int]) -> list[Task]:
    """The tasks, in the order of the graph."""
    tasks: dict[int, Task] = {}
    for loop in recurrences(graph):
        task = Task(loop.ids, "scan forwards" if loop.direction > 0 else "scan backwards", loop.clock)
        tasks |= dict.fromkeys(loop.ids, task)
    order = [id for id in graph.order() if id not in hidden and number(graph, id) is None]
    for id in order:
        type_ = graph[id].type
        if id not in tasks:
            streams = type_.kind is Kind.STREAM
            tasks[id] = Task((id,), "over time" if streams else "once", type_.clock if streams else None)
        tasks[id].needs |= set(_needs(graph, id, hidden))
    for task in tasks.values():
        task.needs -= set(task.ids)
    return [tasks[id] for id in order if tasks[id].ids[0] == id]


def _needs(graph: Graph, id: int, hidden: frozenset[int]) -> Iterator[int]:
    for arg in graph[id].args:
        if arg in hidden:
            yield from _needs(graph, arg, hidden)
        elif number(graph, arg) is None:
            yield arg


def signature(graph: Graph, id: int) -> tuple[object, ...]:
    """What element-wise nodes of one kernel have in common."""
    node = graph[id]
    return ("elementwise", node.type.kind, node.type.clock, node.type.shape)


READY = frozenset({Trait.VIEW, Trait.INPUT, Trait.PARAMETER})
"""Traits of operations that need no computation."""


def kernel_kind(graph: Graph, id: int) -> str:
    """The kind of the kernel that computes a node."""
    op = graph[id].op
    return "view" if op.traits & READY else op.group


def _grouped(graph: Graph, ids: Sequence[int], scans: bool, hidden: frozenset[int]) -> list[int]:
    """The same nodes, in an order in which element-wise nodes of one shape stand side by side where possible.

    Within a scan, values of other steps are available; elsewhere they have to be computed first.
    """
    rank = {id: k for k, id in enumerate(ids)}
    waits: dict[int, int] = {}
    users: dict[int, list[int]] = {id: [] for id in ids}
    queue = Queue()
    for id in ids:
        late = graph[id].args[0] if scans and graph[id].delay else None
        args = {a for a in _needs(graph, id, hidden) if a in rank and a != late}
        waits[id] = len(args)
        for arg in args:
            users[arg].append(id)
        if not args:
            queue.push(_group(graph, id), rank[id])
    out: list[int] = []
    current: Hashable = None
    while len(out) < len(ids):
        found = queue.pop("view")
        if found is None:
            found = queue.pop(current)
        if found is None:
            current = queue.first()
            found = queue.pop(current)
        assert found is not None
        out.append(ids[found])
        for user in users[out[-1]]:
            waits[user] -= 1
            if not waits[user]:
                queue.push(_group(graph, user), rank[user])
    return out


def _group(graph: Graph, id: int) -> Hashable:
    """The group of a node: views come first, and the nodes of one kernel come together."""
    kind = kernel_kind(graph, id)
    return signature(graph, id) if kind == "elementwise" else kind


def kernels(graph: Graph, ids: Iterable[int], fuse: bool, users: Mapping[int, set[int]]) -> tuple[Kernel, ...]:
    """The kernels: neighbouring element-wise nodes of one shape become one. `users` are the users of each node."""
    runs: list[tuple[str, list[int]]] = []
    for id in ids:
        kind = kernel_kind(graph, id)
        last = runs[-1][1] if fuse and runs and runs[-1][0] == kind == "elementwise" else None
        if last is not None and signature(graph, id) == signature(graph, last[0]):
            last.append(id)
        else:
            runs.append((kind, [id]))
    return tuple(Kernel(kind, tuple(run), tuple(_leaving(run, users))) for kind, run in runs)


def _users(graph: Graph) -> dict[int, set[int]]:
    """The nodes that use each value; the caller uses the results of the graph."""
    users: dict[int, set[int]] = {}
    for id in graph.order():
        for arg in graph[id].args:
            users.setdefault(arg, set()).add(id)
    for id in graph.roots.values():
        users.setdefault(id, set()).add(CALLER)
    return users


def _leaving(run: list[int], users: Mapping[int, set[int]]) -> list[int]:
    inside = set(run)
    return [id for id in run if not users.get(id, set()) <= inside]
