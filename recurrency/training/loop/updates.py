"""Updates: the gradient of one batch or several, with noise on the weights, penalties and clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recurrency.training.data import Batch
from recurrency.training.loop.optimisers import Optimiser, State, Vector, clip_by_norm, clip_by_value, norm
from recurrency.training.loop.progress import Options
from recurrency.training.loop.snapshots import Sums
from recurrency.training.loop.weighing import ByKind, Part, counts_of

NOISE = 1
"""Separates the noise on the weights from other draws with the same seed."""


class Gradients(Protocol):
    """The part of a model's gradients that training needs: the flat vector `params`."""

    @property
    def params(self) -> Vector: ...


class Trainable(Protocol):
    """What the loop needs of a model; every `recurrency.model.model.Model` with loss lines has it.

    `state` is passed to `losses` and `losses_and_gradients` only for batches that continue sequences.
    """

    @property
    def size(self) -> int: ...
    @property
    def batch_first(self) -> bool: ...
    @property
    def has_loss(self) -> bool: ...
    @property
    def loss_kinds(self) -> tuple[str, ...]: ...
    @property
    def inputs(self) -> Any: ...
    def init(self, seed: int = 0) -> Any: ...
    def views(self, params: Any) -> Mapping[str, Any]: ...
    @property
    def losses(self) -> Any: ...
    @property
    def losses_and_gradients(self) -> Any: ...


def states_of(batch: Batch, carried: Any) -> dict[str, Any]:
    """The keyword with the initial states of a batch; none if it starts new sequences."""
    return {} if batch.fresh or not carried else {"state": carried}


@dataclass(frozen=True)
class Call:
    """The arguments of the model for one training batch."""

    batch: Batch
    seed: int
    state: dict[str, Any]

    @property
    def keywords(self) -> dict[str, Any]:
        """All but parameters and inputs."""
        return {**self.batch.keywords, "training": True, "seed": self.seed, **self.state}


@dataclass
class Learner:
    """Gradients for a model; `batches` counts those seen so far, `carried` are the states after the last one."""

    model: Trainable
    options: Options
    batches: int = 0
    carried: Any = field(default_factory=dict)
    last: list[Call] = field(default_factory=list)
    """The calls of the last update, to explain a failure."""

    def gradient(self, params: Vector, group: Sequence[tuple[Batch, bool]]) -> tuple[list[Part], Vector]:
        """The losses of some batches and the gradient of their mean, without penalties.

        Each batch comes with whether its sequences end in it. Each kind of loss line is weighted by what a batch has
        of it, so that the gradient is that of one batch with all these sequences.
        """
        parts, total = [], np.zeros(0, params.dtype)
        found = counts_of(self.model, group, self.carried)
        shares = shares_of(found)
        self.last, carried = [], self.carried
        for number, (batch, ends) in enumerate(group):
            seen = self.batches + number + 1
            call = Call(batch, step_seed(self.options.seed, seen), states_of(batch, carried))
            self.last.append(call)
            losses, gradients, carried = self.model.losses_and_gradients(
                self.noisy(params, seen), batch.inputs, weights=shares[number], wrt=("params",), **call.keywords
            )
            parts.append(Part(losses, found[number], batch.size if ends else 0))
            total = total + gradients.params if number else gradients.params
        self.batches, self.carried = self.batches + len(group), carried
        return parts, total

    def noisy(self, params: Vector, batch: int) -> Vector:
        """The parameters with the noise of a batch, counted from 1."""
        spread = self.options.weight_noise
        if not spread:
            return params
        rng = np.random.default_rng([self.options.seed, NOISE, batch])
        noise: Vector = rng.standard_normal(len(params), dtype=params.dtype)
        return params + params.dtype.type(spread) * noise

    def regularise(self, params: Vector, grad: Vector) -> float:
        """Add the gradient of the penalties, and clip, in place; returns the norm before clipping."""
        o = self.options
        if o.l2:
            grad += params.dtype.type(o.l2) * params
        if o.l1:
            grad += params.dtype.type(o.l1) * np.sign(params)
        length = norm(grad)
        if o.clip_value is not None:
            clip_by_value(grad, o.clip_value)
        if o.clip is not None:
            clip_by_norm(grad, o.clip)
        return length


class AtOnce:
    """How updates are made: at once, by one process or by several that wait for one another.

    `asynchronous.Asynchronous` makes them in another way.
    """

    resumable = True
    """Whether a run can be resumed in the middle of an epoch."""

    def own(self, stream: Iterable[Batch]) -> Iterable[Batch]:
        """The batches of an epoch that this process learns from."""
        return stream

    def epoch(self, optimiser: Optimiser, params: Vector, state: State, step: int) -> AbstractContextManager[None]:
        """The context of the updates of an epoch after `step` updates."""
        return nullcontext()

    def apply(self, optimiser: Optimiser, params: Vector, grad: Vector, state: State, step: int) -> None:
        """One update of `params`, in place."""
        optimiser.update(params, grad, state, step)

    def interrupt(self) -> bool:
        """Whether a request to stop ends this process at once."""
        return True

    def total(self, sums: Sums) -> Sums:
        """The sums of an epoch over all processes."""
        return sums


def step_seed(seed: int, step: int) -> int:
    """The seed of the randomness inside a model (dropout, noise) at one step: another one for each seed and step."""
    return ((seed & 0xFFFFFFFF) << 32) | step


def shares_of(found: Sequence[ByKind]) -> list[dict[str, float]]:
    """The weight of each batch in the mean over all, for each kind of line; 0 if none of them has any of it."""
    whole = {kind: math.fsum(each[kind] for each in found) for kind in found[0]}
    return [{kind: count / whole[kind] if count else 0.0 for kind, count in each.items()} for each in found]
