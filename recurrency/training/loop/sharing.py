"""One batch shared by several processes: each computes on its sequences, and all get the gradient of the whole batch.

Shares of a ragged batch differ in their number of steps, so the mean over the batch is not the mean of the means of its
shares: each kind of loss line is weighted by what a share has of it (`weighing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from recurrency.errors import UsageError
from recurrency.model.model import Model
from recurrency.training.data import Array, Batch
from recurrency.training.data.sequences import FLAGS
from recurrency.training.loop.processes import Processes
from recurrency.training.loop.progress import AskedError
from recurrency.training.loop.weighing import ByKind, of_sequences
from recurrency.training.tasks.measures import Judged, Measure

States: TypeAlias = Mapping[str, Any] | None

SPREAD = 0x9E3779B97F4A7C15
"""The distance between the seeds of processes (the golden ratio in 64 bits), so that their draws differ."""


@dataclass(frozen=True)
class Sum:
    """Gradients as the training loop takes them: the flat vector."""

    params: Array


def unshared(model: Any) -> Any:
    """The compiled model: that which several processes share, or the model itself."""
    return model.model if isinstance(model, Shared) else model


class Shared:
    """A model whose batches are shared by all processes; each of them gets the whole batch.

    To the training loop it is a model like any other. Random draws differ from those of one process, as a sequence
    has another place in its share than in the batch. If `asynchronous`, this holds for evaluation only, and the loop
    learns by `asynchronous.Asynchronous`.
    """

    def __init__(self, model: Model, processes: Processes, asynchronous: bool = False) -> None:
        self.model, self.processes, self.asynchronous = model, processes, asynchronous
        self.size, self.batch_first, self.has_loss = model.size, model.batch_first, model.has_loss
        self.inputs, self.loss_kinds, self.spec = model.inputs, model.loss_kinds, model.spec

    @property
    def over_calls(self) -> str:
        """Why sequences cannot be read in pieces; "" if they can."""
        return self.model.over_calls

    def init(self, seed: int = 0) -> Array:
        """Initial values of all parameters."""
        return self.model.init(seed)

    def views(self, params: Any) -> Mapping[str, Any]:
        """The parameters by name."""
        return self.model.views(params)

    def pack(self, arrays: Any) -> Array:
        """The flat vector of parameters given by name."""
        return self.model.pack(arrays)

    def losses(
        self,
        params: Any,
        inputs: Any,
        *,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        state: States = None,
        **flags: Any,
    ) -> dict[str, float]:
        """The loss of the whole batch by the kinds of its lines."""
        whole = Batch(inputs, lengths, flags=flags)
        own, total = whole.part(self._mine), np.zeros(len(self.loss_kinds))
        if own.size:
            found = self.model.losses(
                params,
                own.inputs,
                **own.keywords,
                state=self._of_state(state),
                training=training,
                seed=self._seed(seed),
            )
            total += self._counted(found, self._shares(whole, state))
        self.processes.sum(total)
        return dict(zip(self.loss_kinds, total.tolist(), strict=True))

    def losses_and_gradients(
        self,
        params: Any,
        inputs: Any,
        *,
        weights: ByKind | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        wrt: Sequence[str] = ("params",),
        state: States = None,
        **flags: Any,
    ) -> tuple[dict[str, float], Sum, dict[str, Any]]:
        """The loss of the whole batch by kinds, the gradients of its sum with these weights, and the last states.

        Raises:
            AskedError: any of the processes was asked to stop.
        """
        if self.processes.all_interrupted():
            raise AskedError
        whole = Batch(inputs, lengths, flags=flags)
        own, total = whole.part(self._mine), np.zeros(len(self.loss_kinds))
        gradient = np.zeros(self.size if "params" in wrt else 0, self.model.real)
        last: dict[str, Any] = {}
        if own.size:
            shares = self._shares(whole, state)
            given = {kind: share * (1.0 if weights is None else weights[kind]) for kind, share in shares.items()}
            losses, found, last = self.model.losses_and_gradients(
                params,
                own.inputs,
                given,
                **own.keywords,
                training=training,
                wrt=wrt,
                seed=self._seed(seed),
                state=self._of_state(state),
            )
            total += self._counted(losses, shares)
            gradient += found.params
        states = self._whole(last, whole.size)
        self.processes.sum(total, gradient, *states.values())
        return dict(zip(self.loss_kinds, total.tolist(), strict=True)), Sum(gradient), states

    def weights_and_state(self, inputs: Any, state: States = None, **more: Any) -> tuple[dict[str, Array], Any]:
        """The sums of the weights of each sequence of the whole batch, as `Model.weights_and_state`."""
        return self.model.weights_and_state(inputs, state, **more)

    def curvature(
        self,
        params: Any,
        inputs: Any,
        *,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        state: States = None,
        **how: Any,
    ) -> Callable[[Array, ByKind], Array]:
        """The Gauss-Newton matrix of the loss of the whole batch, as `Model.curvature`: a function of vectors [size].

        Raises:
            UsageError: the loss has lines of several kinds, whose products can't be weighted one by one.
        """
        if len(self.loss_kinds) > 1:
            kinds = ", ".join(self.loss_kinds)
            raise UsageError(
                f"several processes can't share curvature products of a loss that is a sum of means over different "
                f"things ({kinds}): use one process"
            )
        flags = {name: how.pop(name) for name in FLAGS if name in how}
        whole, own = Batch(inputs, lengths, flags=flags), None
        mine = whole.part(self._mine)
        share = self._shares(whole, state)[self.loss_kinds[0]] if mine.size else 0.0
        if share:
            known = {**mine.keywords, "state": self._of_state(state), "training": training, **how}
            own = self.model.curvature(params, mine.inputs, seed=self._seed(seed), **known)

        def product(vector: Array, weights: ByKind) -> Array:
            total = np.zeros(self.size, self.model.real)
            if own is not None:
                total += share * np.asarray(own(vector, weights))
            self.processes.sum(total)
            return total

        return product

    def _seed(self, seed: int) -> int:
        """The seed of this process, so that its draws differ from those of others."""
        return (seed + self.processes.rank * SPREAD) % (1 << 64)

    def judged(self, measure: Measure, params: Any, stream: Iterable[Batch]) -> Judged:
        """The value of a measure over all batches; each process evaluates its share of them."""
        total = measure.sums(self.model, params, self._shared(stream))
        self.processes.sum(total)
        return measure.judged(total)

    def _shared(self, stream: Iterable[Batch]) -> Iterator[Batch]:
        """Our share of each batch that has one for us."""
        return (own for batch in stream if (own := batch.part(self._mine)).size)

    @property
    def _mine(self) -> slice:
        """Every k-th sequence, so that each process gets long and short ones (a batch is sorted)."""
        return slice(self.processes.rank, None, self.processes.size)

    def _of_state(self, state: States) -> States:
        """Our share of the initial states."""
        return None if state is None else {n: np.ascontiguousarray(a[self._mine]) for n, a in state.items()}

    def _whole(self, last: Mapping[str, Array], batch: int) -> dict[str, Array]:
        """Our share of the final states, zero elsewhere, to be summed with those of the others."""
        like = {
            n: (p.shape, self.model.real if p.index is None else np.int64) for n, p in self.model.state_ports.items()
        }
        like |= {"t": ((), np.int64)} if self.model.random else {}
        out = {n: np.zeros((batch, *shape), dtype) for n, (shape, dtype) in like.items()}
        for name, own in last.items():
            out[name][self._mine] = own
        return out

    def _shares(self, batch: Batch, state: States) -> dict[str, float]:
        """Our share of the count of each kind of loss line."""
        found, _ = of_sequences(self.model, batch, state=state)
        sums = {kind: count.sum(dtype=np.float64) or 1.0 for kind, count in found.items()}
        return {kind: float(count[self._mine].sum(dtype=np.float64) / sums[kind]) for kind, count in found.items()}

    def _counted(self, losses: ByKind, shares: ByKind) -> Array:
        """The contribution of our share to the losses of the batch."""
        return np.array([shares[kind] * losses[kind] if shares[kind] else 0.0 for kind in self.loss_kinds])
