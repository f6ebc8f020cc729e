"""The training loop: batches in, better parameters out; clipping, validation, early stopping, a guard against NaN."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recurrency.errors import RecurrencyError, UsageError
from recurrency.training.data import Batch
from recurrency.training.optimisers import Adam, Optimiser, State, Vector, clip_by_norm, clip_by_value, norm
from recurrency.training.tasks import Task

INTERRUPTED = "interrupted"
"""Why training ended, where it was by Ctrl-C."""


class Gradients(Protocol):
    """The part of a model's gradients that training needs: the flat vector `params`."""

    @property
    def params(self) -> Vector: ...


class Trainable(Protocol):
    """What the loop asks of a model, which every `recurrency.model.Model` with loss lines can do."""

    @property
    def size(self) -> int: ...
    @property
    def batch_first(self) -> bool: ...
    @property
    def has_loss(self) -> bool: ...
    def init(self, seed: int = 0) -> Any: ...
    def loss(self, params: Any, inputs: Any, *, lengths: Any = None) -> float: ...
    def loss_and_gradients(
        self,
        params: Any,
        inputs: Any,
        *,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        wrt: Sequence[str] = ...,
    ) -> tuple[float, Any, Any]: ...


@dataclass(frozen=True)
class Options:
    """How to train.

    `clip` bounds the norm of a gradient, `clip_value` each of its elements; `patience` is the number of epochs without
    a better validation loss after which training stops (None: never); after each such epoch the rate is multiplied by
    `shrink`.
    """

    optimiser: Optimiser = field(default_factory=Adam)
    epochs: int = 50
    clip: float | None = None
    clip_value: float | None = None
    patience: int | None = 10
    shrink: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch, counted from 0.

    `train` is the mean loss of its batches, each before its update, `total` the plain sum of them, `valid` the mean
    validation loss after the epoch (None without validation data), `norm` the mean length of the gradients before
    clipping.
    """

    number: int
    steps: int
    train: float
    total: float
    valid: float | None
    norm: float
    rate: float
    seconds: float


@dataclass
class History:
    """The outcome: every epoch, the best parameters and their epoch, their test loss, and why training ended."""

    epochs: list[Epoch] = field(default_factory=list)
    params: Any = None
    best_epoch: int = -1
    best_valid: float | None = None
    test: float | None = None
    stopped: str = "all epochs done"
    seconds: float = 0.0


class Reporter(Protocol):
    """Who is told of progress; see `recurrency.training.reporters`."""

    def begin(self, task: Task, options: Options) -> None: ...
    def step(self, epoch: int, step: int, loss: float) -> None: ...
    def epoch(self, record: Epoch) -> None: ...
    def end(self, history: History) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Tells nobody."""

    def begin(self, task: Task, options: Options) -> None:
        """Training starts."""

    def step(self, epoch: int, step: int, loss: float) -> None:
        """A batch was learned; `step` counts from 1 over all epochs."""

    def epoch(self, record: Epoch) -> None:
        """An epoch is over."""

    def end(self, history: History) -> None:
        """Training is over."""

    def close(self) -> None:
        """Called last, also after an error."""


class DivergedError(RecurrencyError):
    """The loss or its gradient is not a finite number any more; `history` holds the epochs before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


# -------------------------------------------------------------------------------------------------------------- parts


def evaluate(model: Trainable, params: Any, stream: Iterable[Batch]) -> float | None:
    """The mean loss over all batches, each weighed by what it is the mean of; None where there is no batch."""
    total, weight = 0.0, 0
    for batch in stream:
        total += batch.weight * model.loss(params, batch.inputs, lengths=batch.lengths)
        weight += batch.weight
    return total / weight if weight else None


@dataclass
class _Run:
    """The moving parts of one training run."""

    model: Trainable
    options: Options
    report: Reporter
    optimiser: Optimiser
    params: Vector
    state: State
    history: History
    step: int = 0

    def learn(self, batch: Batch, epoch: int) -> tuple[float, float]:
        """One update; returns the loss before it and the length of the gradient."""
        self.step += 1
        loss, gradients, _ = self.model.loss_and_gradients(
            self.params,
            batch.inputs,
            lengths=batch.lengths,
            training=True,
            seed=_step_seed(self.options.seed, self.step),
            wrt=("params",),
        )
        loss = float(loss)
        self._guard("loss", loss, epoch)
        grad = gradients.params
        if self.options.clip_value is not None:
            clip_by_value(grad, self.options.clip_value)
        length = norm(grad) if self.options.clip is None else clip_by_norm(grad, self.options.clip)
        self._guard("length of the gradient", length, epoch)
        self.optimiser.update(self.params, grad, self.state, self.step)
        self.report.step(epoch, self.step, loss)
        return loss, length

    def _guard(self, what: str, value: float, epoch: int) -> None:
        if not math.isfinite(value):
            cure = "a lower rate" if self.options.clip is not None else "a lower rate, or clip the gradient"
            raise DivergedError(f"the {what} is {value} at step {self.step} (epoch {epoch}); try {cure}", self.history)

    def epoch(self, number: int, task: Task, rng: np.random.Generator) -> Epoch:
        """All batches of one epoch, then validation."""
        start, before = time.perf_counter(), self.step
        total = weighed = lengths = 0.0
        weight = 0
        for batch in task.train(number, rng):
            loss, length = self.learn(batch, number)
            total, weighed, lengths = total + loss, weighed + batch.weight * loss, lengths + length
            weight += batch.weight
        steps = self.step - before
        if not steps:
            raise UsageError(f"the task {task.name} has nothing to learn from")
        valid = evaluate(self.model, self.params, task.valid())
        rate, seconds = self.optimiser.rate, time.perf_counter() - start
        return Epoch(number, steps, weighed / weight, total, valid, lengths / steps, rate, seconds)

    def epochs(self, task: Task) -> None:
        """All epochs, or as many as early stopping or an interrupt leave."""
        rng = np.random.default_rng([self.options.seed, 0])
        try:
            for number in range(self.options.epochs):
                record = self.epoch(number, task, rng)
                on = self.judge(record)
                self.report.epoch(record)
                if not on:
                    return
        except KeyboardInterrupt:
            self.history.stopped = INTERRUPTED

    def judge(self, record: Epoch) -> bool:
        """Keeps the parameters if they are the best so far; says whether to go on."""
        history = self.history
        history.epochs.append(record)
        best = history.best_valid
        if record.valid is None or best is None or record.valid < best:
            history.best_valid, history.best_epoch = record.valid, record.number
            history.params = self.params.copy()
            return True
        self.optimiser = dataclasses.replace(self.optimiser, rate=self.optimiser.rate * self.options.shrink)
        patience = self.options.patience
        if patience is not None and record.number - history.best_epoch >= patience:
            history.stopped = f"no better validation loss in {patience} epochs"
            return False
        return True


def _step_seed(seed: int, step: int) -> int:
    """The seed of the randomness inside a model (dropout, noise) at one step: another one for each seed and step."""
    return ((seed & 0xFFFFFFFF) << 32) | step


def train(
    model: Trainable, task: Task, options: Options | None = None, report: Reporter | None = None, params: Any = None
) -> History:
    """Trains `model` on `task` from `params` (default: `model.init(options.seed)`), and returns its history.

    The parameters in the history are the ones with the best validation loss, or the last ones where there is nothing
    to validate on. All randomness follows from `options.seed`. An interrupt (Ctrl-C) ends training as early stopping
    does.

    Raises:
        UsageError: the model has no loss, or is compiled batch first.
        DivergedError: loss or gradient became NaN or infinite; the message names the step.
    """
    options, report = options or Options(), report or Silent()
    if not model.has_loss:
        raise UsageError("this spec has no `loss` line, so there is nothing to train it by")
    if model.batch_first:
        raise UsageError("training feeds [T, B, ...] arrays: compile the spec without batch_first")
    start = time.perf_counter()
    params = np.array(model.init(options.seed) if params is None else params)
    state = options.optimiser.init(model.size, params.dtype)
    run = _Run(model, options, report, options.optimiser, params, state, History(params=params.copy()))
    history = run.history
    try:
        report.begin(task, options)
        run.epochs(task)
        history.test = evaluate(model, history.params, task.test())
        history.seconds = time.perf_counter() - start
        report.end(history)
    finally:
        report.close()
    return history
