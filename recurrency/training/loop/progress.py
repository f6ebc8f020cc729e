"""Options, epochs and history of training, and the protocol of progress reporters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from recurrency.errors import RecurrencyError
from recurrency.training.loop.optimisers import Adam, Optimiser
from recurrency.training.loop.schedules import Constant, Schedule
from recurrency.training.tasks import Task

DONE = "all epochs done"
INTERRUPTED = "interrupted"
"""The word for training that Ctrl-C ended."""
SOLVED = "solved"
"""The word for training that ended because the task's criterion was met."""

Facts: TypeAlias = Mapping[str, float | None]
"""Further figures of an update or an epoch, by name; None for one that is not defined."""


@dataclass(frozen=True)
class Options:
    """How to train.

    `clip` bounds the norm of a gradient, `clip_value` each of its elements; `patience` is the number of epochs without
    a better validation loss after which training stops (None: never); after each such epoch the rate is multiplied by
    `shrink`, and before the first update of an epoch whose gradient has a norm above `halve_above`, measured before
    clipping, by one half (Chung et al. 2015). `schedule` is a factor on the rate over time. `weight_noise` is the
    standard deviation of noise that is added to all parameters, drawn anew for each batch, while a gradient is computed
    (Graves 2013, section 4.2). `l1` and `l2` add `l1 sum |w| + l2 / 2 sum w^2` to the objective, not to the reported
    losses. One update takes the gradient of `accumulate` batches. `damp` is the structural damping of streams in
    Hessian-free optimisation, mu by name. With `until_solved` training ends when the validation data meet the criterion
    of the task.
    """

    optimiser: Optimiser = field(default_factory=Adam)
    epochs: int = 50
    clip: float | None = None
    clip_value: float | None = None
    patience: int | None = 10
    shrink: float = 1.0
    halve_above: float | None = None
    seed: int = 0
    schedule: Schedule = field(default_factory=Constant)
    weight_noise: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    accumulate: int = 1
    damp: Mapping[str, float] = field(default_factory=dict)
    until_solved: bool = False


@dataclass(frozen=True)
class Epoch:
    """The results of one epoch, counted from 0.

    `steps` is the number of updates, `train` the mean loss of its batches, each before its update, `total` the same
    times the number of sequences, `valid` the mean validation loss after the epoch (None without validation data),
    `norm` the mean length of the gradients before clipping, `rate` that of the last update. `facts` are figures of the
    optimiser at the last update, and `measured`, the task's measure on the validation data, where training is to end by
    it.
    """

    number: int
    steps: int
    train: float
    total: float
    valid: float | None
    norm: float
    rate: float
    seconds: float
    facts: Facts = field(default_factory=dict)


@dataclass
class History:
    """The outcome: every epoch, the best parameters and their epoch, their test loss, and why training ended.

    `measured` is what the task's own measure says of the test data, of which it has `judged` so many sequences or
    steps, `verdict` the same in words, where there is one and the model answers what it asks. `solved` is the number of
    updates after which the validation data met the task's criterion, if training was to end there.
    """

    epochs: list[Epoch] = field(default_factory=list)
    params: Any = None
    best_epoch: int = -1
    best_valid: float | None = None
    test: float | None = None
    measured: float | None = None
    judged: int | None = None
    verdict: str = ""
    stopped: str = DONE
    solved: int | None = None
    seconds: float = 0.0


class Reporter(Protocol):
    """Gets the progress of training; see `recurrency.training.runs.reporters`."""

    def begin(self, task: Task, options: Options) -> None: ...
    def step(self, epoch: int, step: int, loss: float, facts: Facts) -> None: ...
    def epoch(self, record: Epoch) -> None: ...
    def end(self, history: History) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Reports nothing."""

    def begin(self, task: Task, options: Options) -> None:
        """Training starts or is resumed."""

    def step(self, epoch: int, step: int, loss: float, facts: Facts) -> None:
        """An update was made; `step` counts from 1 over all epochs, `facts` are figures of the optimiser."""

    def epoch(self, record: Epoch) -> None:
        """An epoch is over."""

    def end(self, history: History) -> None:
        """Training is over."""

    def close(self) -> None:
        """Called last, also after an error."""


class AskedError(KeyboardInterrupt):
    """One of several processes got Ctrl-C; all of them raise this before they compute anything."""


class DivergedError(RecurrencyError):
    """The loss or its gradient is not a finite number any more; `history` holds the epochs before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history
