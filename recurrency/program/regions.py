"""The order of computation: the condensed graph cut into regions, and each region into kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.passes.recurrence import recurrences
from recurrency.passes.rewriting import number
from recurrency.program.program import ALIASES, Kernel, Region


@dataclass
class Task:
    """What has to run in one piece: one node, or a recurrence."""

    ids: tuple[int, ...]
    kind: str
    clock: str | None
    needs: set[int] = field(default_factory=set)


def cut(graph: Graph, hidden: frozenset[int], fuse: bool) -> tuple[Region, ...]:
    """The regions; nodes in `hidden`, and literal numbers, are not computed by themselves.

    A region takes in every node that is ready and belongs to its kind; the next begins where there is none left.
    """
    tasks, order = _tasks(graph, hidden)
    done: set[int] = set()
    waiting = list(order)
    regions: list[Region] = []
    while waiting:
        first = next(t for t in _ready(waiting, tasks, done))
        region = _region(graph, waiting, tasks, done, first, fuse)
        regions.append(Region(len(regions), first.kind, first.clock, region))
    return tuple(regions)


def _tasks(graph: Graph, hidden: frozenset[int]) -> tuple[dict[int, Task], list[int]]:
    """The task of each node, and the nodes that stand for their tasks in the order of the graph."""
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
    for id in order:
        tasks[id].needs |= set(_needs(graph, id, hidden)) - set(tasks[id].ids)
    return tasks, [id for id in order if tasks[id].ids[0] == id]


def _needs(graph: Graph, id: int, hidden: frozenset[int]) -> Iterator[int]:
    for arg in graph[id].args:
        if arg in hidden:
            yield from _needs(graph, arg, hidden)
        elif number(graph, arg) is None:
            yield arg


def _ready(waiting: Iterable[int], tasks: dict[int, Task], done: set[int]) -> Iterator[Task]:
    return (tasks[id] for id in waiting if tasks[id].needs <= done)


def _region(
    graph: Graph, waiting: list[int], tasks: dict[int, Task], done: set[int], first: Task, fuse: bool
) -> tuple[Kernel, ...]:
    """Take one region's tasks from those that wait."""
    if first.kind.startswith("scan"):
        waiting.remove(first.ids[0])
        done |= set(first.ids)
        return kernels(graph, _grouped(graph, first.ids, True) if fuse else first.ids, fuse)
    taken: list[int] = []
    found = True
    while found:
        found = False
        for task in list(_ready(waiting, tasks, done)):
            if task.kind == first.kind and task.clock == first.clock:
                waiting.remove(task.ids[0])
                done |= set(task.ids)
                taken += task.ids
                found = True
    return kernels(graph, _grouped(graph, tuple(taken), False) if fuse else tuple(taken), fuse)


def signature(graph: Graph, id: int) -> tuple[object, ...]:
    """What element-wise nodes that can run as one kernel have in common."""
    node = graph[id]
    return ("elementwise", node.type.kind, node.type.clock, node.type.shape)


def kernel_kind(graph: Graph, id: int) -> str:
    """The kind of the kernel that a node goes to."""
    node = graph[id]
    if node.op.name in ALIASES or node.op.name in ("input", "param"):
        return "view"
    return node.op.group


def _grouped(graph: Graph, ids: tuple[int, ...], scans: bool) -> tuple[int, ...]:
    """The same nodes in an order in which element-wise nodes of one shape stand together as far as possible.

    Within a scan what is read from another step is there already; elsewhere it has to be computed first.
    """
    inside = set(ids)
    needs = {
        id: {a for k, a in enumerate(graph[id].args) if a in inside and not (scans and k == 0 and graph[id].delay)}
        for id in ids
    }
    users: dict[int, list[int]] = {id: [] for id in ids}
    for id, args in needs.items():
        for arg in args:
            users[arg].append(id)
    rank = {id: k for k, id in enumerate(ids)}
    ready = sorted((id for id in ids if not needs[id]), key=rank.__getitem__)
    out: list[int] = []
    current: tuple[object, ...] = ()
    while ready:
        id = next((r for r in ready if kernel_kind(graph, r) == "view"), None)
        if id is None:
            id = next((r for r in ready if graph[r].op.elementwise and signature(graph, r) == current), ready[0])
            current = signature(graph, id) if graph[id].op.elementwise else ()
        ready.remove(id)
        out.append(id)
        for user in users[id]:
            needs[user].discard(id)
            if not needs[user]:
                ready.append(user)
        ready.sort(key=rank.__getitem__)
    return tuple(out)


def kernels(graph: Graph, ids: Iterable[int], fuse: bool) -> tuple[Kernel, ...]:
    """Neighbouring element-wise nodes of one shape become one kernel."""
    runs: list[tuple[str, list[int]]] = []
    for id in ids:
        kind = kernel_kind(graph, id)
        joins = fuse and runs and runs[-1][0] == kind == "elementwise"
        if joins and signature(graph, id) == signature(graph, runs[-1][1][0]):
            runs[-1][1].append(id)
        else:
            runs.append((kind, [id]))
    users: dict[int, set[int]] = {}
    for id in graph.order():
        for arg in graph[id].args:
            users.setdefault(arg, set()).add(id)
    roots = set(graph.roots.values())
    return tuple(Kernel(kind, tuple(run), tuple(_leaving(run, users, roots))) for kind, run in runs)


def _leaving(run: list[int], users: dict[int, set[int]], roots: set[int]) -> list[int]:
    inside = set(run)
    return [id for id in run if id in roots or not users.get(id, set()) <= inside]
