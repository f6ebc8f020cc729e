"""Every value of a program inspected, to find the first operation that a backend computes wrongly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recurrency.backend import Backend, Call, Runner, find, infers_only
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type
from recurrency.model.graphs import SWITCHES
from recurrency.model.model import Model
from recurrency.testing.alone import Alone, distinct
from recurrency.testing.bench import Bench
from recurrency.testing.outcomes import outcome
from recurrency.testing.rounding import SAFETY, Jiggler, first_bound

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.program.layout import Layout
    from recurrency.testing.case import Case

DRAWS = 16

MOST = 500
"""The most values that are requested one by one."""


@dataclass
class Record:
    """One call of one program: its graph, the arrays of its nodes, and the valid steps of each clock, [T, B]."""

    graph: Graph
    values: dict[int, Array]
    valid: Mapping[str, Array]


@dataclass
class Probe:
    """A backend whose programs return all values, or those of some nodes; it records them."""

    inner: Backend
    only: Collection[int] | None = None
    name: str = "probe"
    records: list[Record] = field(default_factory=list)

    @property
    def inference(self) -> bool:
        """See `recurrency.backend.Backend`."""
        return infers_only(self.inner)

    def available(self) -> str | None:
        """See `recurrency.backend.Backend`."""
        return self.inner.available()

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """See `recurrency.backend.Backend`."""
        seen = [id for id in graph.order() if not graph[id].op.traits & {Trait.NAMED, Trait.LITERAL}]
        ids = [id for id in seen if self.only is None or id in self.only]
        probed = graph.select({**graph.roots, **{f"probe:{id}": id for id in ids}})
        runner = self.inner.build(probed, layout, dtype, name, without)

        def run(call: Call) -> dict[str, Array]:
            values = runner(call)
            found = {id: np.array(values.pop(f"probe:{id}"), float) for id in ids}
            self.records.append(Record(graph, found, _valid(call)))
            return values

        return run


def _valid(call: Call) -> dict[str, Array]:
    """The steps that are not padding, [T, B], for each clock."""
    ends = {clock: (call.lengths or {}).get(clock, np.full(call.batch, count)) for clock, count in call.steps.items()}
    return {clock: np.arange(count)[:, None] < ends[clock] for clock, count in call.steps.items()}


@dataclass(frozen=True)
class Compiled:
    """A kind of call of one case, compiled without some passes and pieces."""

    work: Bench
    case: Case
    kind: str
    without: Collection[str]

    def probed(self, inner: Backend, dtype: str, only: Collection[int] | None = None) -> list[Record]:
        """The values of all programs that it runs (of the nodes `only`)."""
        probe = Probe(inner, only)
        elaborated = self.work.elaborated(self.case.dimensions)
        model = Model(self.work.spec, elaborated, probe, dtype, without=sorted(self.without))
        outcome(model, self.case, self.kind)
        return probe.records


def first_wrong(
    work: Bench, case: Case, kind: str, backend: str | Backend, without: Collection[str] = SWITCHES
) -> Node | None:
    """The first node whose value is wrong though its arguments are right; None if all values are right.

    The values are requested together, and then one by one, because requesting all values changes how a backend fuses
    operations.
    """
    inner = find(backend) if isinstance(backend, str) else backend
    call, measure = (Compiled(work, one, kind, without) for one in (case, case.clean()))
    wanted = measure.probed(find("interpreter"), "float64")
    jiggler = Jiggler(case.dtype)
    draws = [measure.probed(jiggler, "float64") for _ in range(DRAWS)]
    for look in (_together, _one_by_one):
        try:
            found = look(call, inner, wanted)
        except Exception as error:  # whatever a backend raises: look for the first operation that makes it do so
            return _first_refused(wanted, inner, case.dtype, type(error))
        for k, (one, other) in enumerate(zip(found, wanted, strict=False)):
            wrong = {id: _wrong(work, case, one, other, [d[k] for d in draws], id) for id in one.values}
            culprit = _culprit(other.graph, wrong)
            if culprit is not None:
                return other.graph[culprit]
    return None


def _together(call: Compiled, inner: Backend, wanted: list[Record]) -> list[Record]:
    """All values at once."""
    return call.probed(inner, call.case.dtype)


def _one_by_one(call: Compiled, inner: Backend, wanted: list[Record]) -> list[Record]:
    """Each value from a run that requests only this value; none if there are too many."""
    out = [Record(record.graph, {}, record.valid) for record in wanted]
    ids = dict.fromkeys(id for record in wanted for id in record.values)
    for id in ids if len(ids) <= MOST else ():
        for record, one in zip(out, call.probed(inner, call.case.dtype, {id}), strict=False):
            record.values.update(one.values)
    return out


def _first_refused(wanted: list[Record], inner: Backend, dtype: str, kind: type[Exception]) -> Node | None:
    """The first node whose operation a backend can't compute even by itself, with the same kind of error."""
    for node, types in distinct(record.graph for record in wanted):
        if node.op.group == "source":
            continue
        one = Alone.of(node, types)
        try:
            one.runner(inner, dtype)(one.arrays(lambda rng, shape: np.ones(shape, dtype), np.random.default_rng(0)))
        except Exception as error:  # it is what is looked for
            if type(error) is kind:
                return node
    return None


def _wrong(work: Bench, case: Case, one: Record, other: Record, draws: list[Record], id: int) -> Array:
    """The steps and sequences at which the value of a node is wrong."""
    type_, want, found = other.graph[id].type, other.values[id], one.values[id]
    lead = {Kind.STREAM: 2, Kind.SEQUENCE: 1, Kind.STATIC: 0}[type_.kind]
    if found.shape != want.shape:
        return np.ones(want.shape[:lead], bool)
    with np.errstate(all="ignore"):
        moved = [np.abs(d.values[id] - want) for d in draws]
        scatter = np.maximum.reduce([np.where(np.isfinite(m), m, np.inf) for m in moved])
        error = np.abs(found - want)
    bound = first_bound(work.reference_model(case), case, want) + SAFETY * scatter
    wrong = ~(error <= bound) & np.isfinite(want) & _real(other, type_, want.shape)
    return np.asarray(wrong.reshape(*wrong.shape[:lead], -1).any(-1))


def _real(record: Record, type_: Type, shape: tuple[int, ...]) -> Array:
    """The elements that are not padding."""
    out = np.ones(shape, bool)
    lead = {Kind.STREAM: 2, Kind.SEQUENCE: 1, Kind.STATIC: 0}[type_.kind]
    if type_.kind is Kind.STREAM:
        valid = record.valid[str(type_.clock)]
        out &= valid.reshape(valid.shape + (1,) * (len(shape) - 2))
    for axis, size in enumerate(type_.shape):
        if isinstance(size, str):
            rows = record.valid[size].T
            here = [1] * len(shape)
            here[lead - 1], here[lead + axis] = rows.shape
            out &= rows.reshape(here)
    return out


def _culprit(graph: Graph, wrong: Mapping[int, Array]) -> int | None:
    """The first node that is wrong at a place where none of its arguments is."""
    for id in graph.order():
        if id in wrong and (wrong[id] & ~_explained(graph, graph[id], wrong)).any():
            return id
    return None


def _explained(graph: Graph, node: Node, wrong: Mapping[int, Array]) -> Array:
    """The places where a wrong argument explains a wrong value."""
    out: Array = np.zeros((), bool)
    for position, arg in enumerate(node.args):
        if arg in wrong:
            out = out | _reached(node, position, graph[arg].type.kind, wrong[arg])
    return out


def _reached(node: Node, position: int, kind: Kind, mask: Array) -> Array:
    """The places of a node that wrong places of an argument reach."""
    if node.delay and position == 0:
        out = np.zeros_like(mask)
        if node.delay > 0:
            out[node.delay :] = mask[: max(len(mask) - node.delay, 0)]
        else:
            out[: node.delay] = mask[-node.delay :]
        return out
    if node.op.group in ("time", "boundary") or kind > node.type.kind:
        return np.asarray(mask.any())
    return mask
