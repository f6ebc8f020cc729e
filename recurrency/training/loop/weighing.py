"""The mean of losses over several batches: each kind of loss line is weighted by what the batches have of it.

A mean over the steps of all batches is the mean of their means, each weighted by its number of steps, or by the sum of
the weights of those that count, and likewise for sequences; a penalty, which counts once, has the same weight in each.
So no figure depends on how sequences are cut into batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from recurrency.errors import UsageError
from recurrency.passes.loss_lines import ONCE, clock_of, over_sequences, weight_of
from recurrency.training.data.sequences import Array, Batch

ByKind: TypeAlias = Mapping[str, float]
"""A number for each kind of line (`recurrency.passes.loss_lines`)."""


@dataclass(frozen=True)
class Part:
    """The result of one batch: its loss by kinds, before the update, its count of each kind, and its sequences.

    Sequences that the next batch continues count there.
    """

    losses: ByKind
    counts: ByKind
    sequences: int

    @property
    def loss(self) -> float:
        """The sum of the lines that count here."""
        return math.fsum(self.losses[kind] for kind, count in self.counts.items() if count)


def with_next(stream: Iterable[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Each batch, and whether its sequences end in it: the next one does not continue them."""
    before: Batch | None = None
    for batch in stream:
        if before is not None:
            yield before, batch.fresh
        before = batch
    if before is not None:
        yield before, True


def counts(model: Any, batch: Batch, ends: bool = True, state: Any = None) -> dict[str, float]:
    """The count of each kind of loss line in a batch; a sequence over several batches counts in the last one.

    `state` has the states before the batch, if it continues another one.

    Raises:
        UsageError: the loss of a sequence over several batches is not a sum over its pieces.
    """
    return _counted(model, batch, ends, state)[0]


def counts_of(model: Any, group: Iterable[tuple[Batch, bool]], state: Any = None) -> list[dict[str, float]]:
    """The same for consecutive batches, each with whether its sequences end in it."""
    out = []
    for batch, ends in group:
        found, state = _counted(model, batch, ends, state)
        out.append(found)
    return out


def _counted(model: Any, batch: Batch, ends: bool, state: Any) -> tuple[dict[str, float], Any]:
    if not (batch.fresh and ends) and model.over_calls:
        raise UsageError(
            f"these sequences are read in pieces that go on from one another, which {model.spec.name} can't be: "
            f"{model.over_calls}; train it on whole sequences"
        )
    known = None if batch.fresh else state
    found, after = of_sequences(model, batch, ends, known)
    return {kind: 1.0 if kind == ONCE else float(own.sum(dtype=np.float64)) for kind, own in found.items()}, after


def of_sequences(
    model: Any, batch: Batch, ends: bool = True, state: Any = None
) -> tuple[dict[str, Array], Mapping[str, Array]]:
    """The count of each kind for each sequence of the batch, [B]; what counts once is distributed evenly.

    Also the states after the batch that the counts of the next one depend on.
    """
    weights, after = dict[str, Array](), dict[str, Array]()
    if any(map(weight_of, model.loss_kinds)):
        weights, after = model.weights_and_state(batch.inputs, state, **batch.keywords)
    return {kind: _each(model, kind, batch, ends, weights.get(kind)) for kind in model.loss_kinds}, after


def _each(model: Any, kind: str, batch: Batch, ends: bool, weights: Array | None) -> Array:
    size, clock = batch.size, clock_of(kind)
    if clock is not None:
        return batch.steps(next(name for name, port in model.inputs.items() if port.clock == clock), clock)
    if over_sequences(kind):
        if ends and not batch.fresh:
            _check_steps(batch)
        return (np.ones(size) if weights is None else weights) * float(ends)
    return np.full(size, 1.0 / max(size, 1)) if weights is None else weights


def _check_steps(batch: Batch) -> None:
    lengths = batch.lengths.values() if isinstance(batch.lengths, dict) else [batch.lengths]
    for number in (n for own in lengths if own is not None for n in np.flatnonzero(own == 0)):
        raise UsageError(
            f"sequence {number} has no step in the last of the batches that go on with it, so its end, which the loss "
            "reads, is not there: let all sequences end in one batch"
        )


def added(total: ByKind, more: ByKind) -> dict[str, float]:
    """The sums of two tables."""
    return {kind: total.get(kind, 0.0) + more.get(kind, 0.0) for kind in {**total, **more}}


def weighed(part: Part) -> dict[str, float]:
    """The losses of a batch times its count of each kind; kinds with no count are left out."""
    return {kind: count * part.losses[kind] for kind, count in part.counts.items() if count}


def mean(sums: ByKind, weights: ByKind) -> float | None:
    """The mean loss of all batches from the sums of losses and counts; None if nothing was counted."""
    found = [sums[kind] / weight for kind, weight in weights.items() if weight]
    return math.fsum(found) if found else None


def mean_of(parts: Sequence[Part]) -> float:
    """The mean loss of several batches; 0 if nothing was counted."""
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    for part in parts:
        sums, weights = added(sums, weighed(part)), added(weights, part.counts)
    return mean(sums, weights) or 0.0
