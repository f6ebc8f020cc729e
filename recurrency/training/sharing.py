"""One batch shared by several processes: each computes on its sequences, and all end with the gradient of the whole.

What a loss line counts is a mean, over the steps of a clock or over the sequences of the batch, or it is one value for
all (a penalty on weights). Shares of a ragged batch differ in their number of steps, so the mean over the batch is not
the mean of the means of its shares: each kind of line is weighed by what it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from recurrency.backend import find
from recurrency.graph.graph import Graph
from recurrency.model import Model
from recurrency.training.data import Array, Lengths
from recurrency.training.processes import Processes
from recurrency.training.records import AskedError

States: TypeAlias = Mapping[str, Any] | None

Kind: TypeAlias = tuple[str, str]
"""What a line is a mean over: ("steps", its clock), ("sequences", "") or ("once", "")."""

SPREAD = 0x9E3779B97F4A7C15
"""Parts the seeds of processes (the golden ratio in 64 bits), so that no two draw the same numbers."""


@dataclass(frozen=True)
class Sum:
    """Gradients as the training loop takes them: the flat vector."""

    params: Array


class Shared:
    """A model whose batches are shared by all processes; each of them is handed the whole batch.

    To the training loop it is a model like any other. Random draws differ from those of one process, as a sequence
    has another place in its share than in the batch.
    """

    def __init__(self, model: Model, processes: Processes) -> None:
        self.model, self.processes = model, processes
        self.size, self.batch_first, self.has_loss = model.size, model.batch_first, model.has_loss
        self.clocks = {name: str(port.clock) for name, port in model.inputs.items()}
        self.parts = _parts(model) if model.has_loss else {}

    def init(self, seed: int = 0) -> Array:
        """First values of all parameters."""
        return self.model.init(seed)

    def views(self, params: Any) -> Mapping[str, Any]:
        """The parameters by name."""
        return self.model.views(params)

    def pack(self, arrays: Any) -> Array:
        """The flat vector of parameters that are given by name."""
        return self.model.pack(arrays)

    def loss(self, params: Any, inputs: Any, *, lengths: Any = None, state: States = None) -> float:
        """The loss of the whole batch."""
        own, steps = self._share(inputs, lengths)
        first = self._of_state(state)
        total = np.zeros(1)
        for kind, part in self.parts.items() if own else ():
            weight = self._weight(kind, inputs, lengths)
            total += weight * part.loss(_carried(self.model, part, params), own, lengths=steps, state=first)
        self.processes.sum(total)
        return float(total[0])

    def loss_and_gradients(
        self, params: Any, inputs: Any, *, lengths: Any = None, training: bool = False, seed: int = 0,
        wrt: Sequence[str] = ("params",), state: States = None,
    ) -> tuple[float, Sum, dict[str, Any]]:  # fmt: skip
        """The loss of the whole batch, its gradients in the parameters, and the last states of the whole batch.

        Raises:
            AskedError: any of the processes was asked to stop.
        """
        if self.processes.all_interrupted():
            raise AskedError
        own, steps = self._share(inputs, lengths)
        first = self._of_state(state)
        total, gradient = np.zeros(1), np.zeros(self.size if "params" in wrt else 0, self.model.real)
        last: dict[str, Any] = {}
        seed = (seed + self.processes.rank * SPREAD) % (1 << 64)
        for kind, part in self.parts.items() if own else ():
            weight = self._weight(kind, inputs, lengths)
            loss, found, last = part.loss_and_gradients(
                _carried(self.model, part, params), own, lengths=steps, training=training, seed=seed, wrt=wrt,
                state=first,
            )  # fmt: skip
            total += weight * loss
            if "params" in wrt:
                gradient += self.model.real.type(weight) * _carried(part, self.model, found.params)
        states = self._whole(last, _batch(inputs))
        self.processes.sum(total, gradient, *states.values())
        return float(total[0]), Sum(gradient), states

    @property
    def _mine(self) -> slice:
        """Every so manieth sequence, so that long and short ones (a batch is sorted) are dealt out evenly."""
        return slice(self.processes.rank, None, self.processes.size)

    def _of_state(self, state: States) -> States:
        """Our share of the first states."""
        return None if state is None else {n: np.ascontiguousarray(a[self._mine]) for n, a in state.items()}

    def _whole(self, last: Mapping[str, Array], batch: int) -> dict[str, Array]:
        """Our share of the last states among zeros, to be added up with those of the others."""
        like = {
            n: (p.shape, self.model.real if p.index is None else np.int64) for n, p in self.model.state_ports.items()
        }
        like |= {"t": ((), np.int64)} if self.model.random else {}
        out = {n: np.zeros((batch, *shape), dtype) for n, (shape, dtype) in like.items()}
        for name, own in last.items():
            out[name][self._mine] = own
        return out

    def _share(self, inputs: Mapping[str, Array], lengths: Lengths) -> tuple[dict[str, Array], Lengths]:
        """Our sequences and their lengths."""
        mine = self._mine
        if isinstance(lengths, dict):
            steps: Lengths = {clock: each[mine] for clock, each in lengths.items()}
        else:
            steps = None if lengths is None else lengths[mine]
        own = {name: np.ascontiguousarray(array[:, mine]) for name, array in inputs.items()}
        return (own, steps) if _batch(own) else ({}, None)

    def _weight(self, kind: Kind, inputs: Mapping[str, Array], lengths: Lengths) -> float:
        """The part of what a kind of line counts that lies in our share."""
        what, clock = kind
        batch, ranks = _batch(inputs), self.processes
        if what == "once":
            return 1.0 / min(batch, ranks.size)
        counts = np.ones(batch) if what == "sequences" else self._steps(clock, inputs, lengths)
        return float(counts[ranks.rank :: ranks.size].sum() / max(counts.sum(), 1.0))

    def _steps(self, clock: str, inputs: Mapping[str, Array], lengths: Lengths) -> Array:
        """How many steps each sequence of the batch has on a clock."""
        if lengths is None:
            steps = next(len(inputs[name]) for name, own in self.clocks.items() if own == clock)
            return np.full(_batch(inputs), steps)
        return lengths[clock] if isinstance(lengths, dict) else np.asarray(lengths)


def _batch(inputs: Mapping[str, Array]) -> int:
    return int(next(iter(inputs.values())).shape[1])


def _carried(source: Model, target: Model, params: Array) -> Array:
    """A flat vector of one model as that of another with the same parameters."""
    return params if source is target else target.pack(source.views(params))


# ----------------------------------------------------------------------------------------------- the kinds of lines


def _parts(model: Model) -> dict[Kind, Model]:
    """For each kind of line a model whose loss are the lines of that kind; most specs have one kind."""
    elaborated = model.programs.elaborated
    found = kinds(elaborated.graph)
    if len(found) == 1:
        return dict.fromkeys(found, model)
    backend, out = find(model.backend), {}
    for kind in found:
        graph = elaborated.graph.select(elaborated.graph.roots)
        first, *rest = (graph.value(id) for id in kinds(graph)[kind])
        for line in rest:
            first = first + line
        graph.roots["loss"] = first.id
        part = replace(elaborated, graph=graph)
        chunks = model.checkpoint.wanted if model.checkpoint else None
        out[kind] = Model(model.spec, part, backend, model.dtype, without=_switches(model), checkpoint=chunks)
    return out


def _switches(model: Model) -> tuple[str, ...]:
    return tuple(sorted(model.programs.without))


def kinds(graph: Graph) -> dict[Kind, list[int]]:
    """The terms of the loss by what they are means over."""
    found: dict[Kind, list[int]] = {}
    later = [graph.roots["loss"]]
    while later:
        id = later.pop(0)
        node = graph[id]
        if node.op.name == "add":
            later = [*node.args, *later]
            continue
        found.setdefault(_counted(graph, id), []).append(id)
    return found


def _counted(graph: Graph, id: int) -> Kind:
    """What a loss line divides by, if it is a mean: the number of steps or of sequences, at least 1."""
    divisor = graph[graph[id].args[1]] if graph[id].op.name == "divide" else None
    if divisor is None or divisor.op.name != "maximum":
        return ("once", "")
    count = graph[divisor.args[0]]
    if count.op.name == "batch":
        return ("sequences", "")
    inner = graph[count.args[0]] if count.op.name == "sum_batch" else count
    return ("steps", str(inner.attrs["clock"])) if inner.op.name == "length" else ("once", "")
