"""The purpose of each buffer of a program: gradients, the tape, or workspace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recurrency.graph import roots

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.program.program import Program

GRADIENTS, TAPE, WORKSPACE, PASSING = "gradients", "tape", "workspace", "passing"


@dataclass(frozen=True)
class Footprint:
    """Bytes that calls of one function, or of several in turn, allocate and keep for the next call of the same sizes.

    `passing` is freed at the end of a call, so only the greatest of several calls counts.
    """

    gradients: int = 0
    tape: int = 0
    workspace: int = 0
    passing: int = 0

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.gradients + other.gradients,
            self.tape + other.tape,
            self.workspace + other.workspace,
            max(self.passing, other.passing),
        )

    @classmethod
    def of(cls, parts: Iterable[tuple[str, int]]) -> Footprint:
        """The sum of sizes, each with its purpose."""
        sums = dict.fromkeys((GRADIENTS, TAPE, WORKSPACE, PASSING), 0)
        for use, size in parts:
            sums[use] += size
        return cls(**sums)


def uses(program: Program) -> Mapping[int, str]:
    """The purpose of each buffer. Buffers that share memory have the same one."""
    graph, owners = program.graph, {}
    for buffer in program.buffers.values():
        owners[buffer.id] = buffer.id if buffer.same is None else buffer.same
    found = dict.fromkeys(program.buffers, WORKSPACE)
    results = [id for root, id in graph.roots.items() if roots.GRADIENT.has(root)]
    for use, ids in ((GRADIENTS, results), (TAPE, taped(graph))):
        for id in ids:
            if id in program.places:
                found[owners[program.places[id].buffer]] = use
    return {id: found[owner] for id, owner in owners.items()}


def taped(graph: Graph) -> set[int]:
    """The nodes of the forward run that a backward run, or the backward part of the same graph, reads."""
    handed = {id for root, id in graph.roots.items() if roots.TAPE.has(root)}
    if handed or any(roots.TAPE.has(name) for name in graph.sources("input")):
        return handed
    second = _second(graph)
    return {arg for id in second for arg in graph[id].args} - second


def _second(graph: Graph) -> set[int]:
    """The nodes of the backward part: all that depend on given adjoints, or that only gradients need."""
    seeds: Mapping[str, int] = graph.sources("input")
    given = [id for name, id in seeds.items() if roots.ADJOINT.has(name)]
    if given:
        return _below(graph, given)
    first = [id for root, id in graph.roots.items() if not roots.GRADIENT.has(root)]
    return set(graph.order()) - set(graph.order(first))


def _below(graph: Graph, given: Iterable[int]) -> set[int]:
    """These nodes, and all nodes that depend on them."""
    users: dict[int, list[int]] = {}
    for id in graph:
        for arg in graph[id].args:
            users.setdefault(arg, []).append(id)
    found = set(given)
    later = list(found)
    while later:
        new = set(users.get(later.pop(), ())) - found
        found |= new
        later += new
    return found
