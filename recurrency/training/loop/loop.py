"""The training loop: updates, validation, early stopping, detection of NaN.

Its `Snapshot`, options and task determine everything that it does next: a resumed run ends with the same bits as an
uninterrupted one.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop import second_order
from recurrency.training.loop.asynchronous import learning
from recurrency.training.loop.interrupts import Interrupts
from recurrency.training.loop.judging import check_criterion, judge, judged
from recurrency.training.loop.optimisers import SCRATCH, HessianFree, Vector
from recurrency.training.loop.progress import DONE, SOLVED, AskedError, Facts
from recurrency.training.loop.progress import INTERRUPTED as INTERRUPTED
from recurrency.training.loop.progress import DivergedError as DivergedError
from recurrency.training.loop.progress import Epoch as Epoch
from recurrency.training.loop.progress import History as History
from recurrency.training.loop.progress import Options as Options
from recurrency.training.loop.progress import Reporter as Reporter
from recurrency.training.loop.progress import Silent as Silent
from recurrency.training.loop.snapshots import Snapshot, Sums
from recurrency.training.loop.tracing import trace
from recurrency.training.loop.updates import Trainable, states_of
from recurrency.training.loop.weighing import Part, added, counts, mean, mean_of, weighed, with_next
from recurrency.training.tasks import Task

Save: TypeAlias = Callable[[Callable[[], Snapshot], bool], None]
"""Called after each update with a function that makes a snapshot, and whether it must be saved now."""


def evaluate(model: Trainable, params: Any, stream: Iterable[Batch]) -> float | None:
    """The mean loss over all batches, however they are cut: see `weighing`; None where there is no batch."""
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    state: Any = {}
    for batch, ends in with_next(stream):
        known = {**batch.keywords, **states_of(batch, state)}
        found = counts(model, batch, ends, known.get("state"))
        if ends:
            losses = model.losses(params, batch.inputs, **known)
        else:
            losses, _, state = model.losses_and_gradients(params, batch.inputs, wrt=(), **known)
        part = Part(losses, found, batch.size)
        sums, weights = added(sums, weighed(part)), added(weights, part.counts)
    return mean(sums, weights)


def _groups(stream: Iterable[Batch], size: int) -> Iterator[list[tuple[Batch, bool]]]:
    """The batches of each update, each with whether its sequences end; the last group may be smaller."""
    batches = with_next(stream)
    while group := list(islice(batches, size)):
        yield group


class _Run:
    """The state of one training run."""

    def __init__(self, model: Trainable, task: Task, options: Options, report: Reporter, params: Vector) -> None:
        self.model, self.task, self.options, self.report = model, task, options, report
        self.optimiser, self.params = options.optimiser, params
        self.state = options.optimiser.init(model.size, params.dtype)
        self.updates, self.learner = learning(model, options)
        self.history = History(params=params.copy())
        self.rng = np.random.default_rng([options.seed, 0])
        self.drawn = self.rng.bit_generator.state
        self.number, self.step, self.sums = 0, 0, Sums()
        self.save: Save = lambda snapshot, needed: None

    # ------------------------------------------------------------------------------------------------- snapshots

    def snapshot(self) -> Snapshot:
        """The state between two updates, from which training can be resumed."""
        slots = {name: slot.copy() for name, slot in self.state.items() if name != SCRATCH}
        history = dataclasses.replace(self.history, epochs=list(self.history.epochs))
        return Snapshot(
            self.params.copy(),
            slots,
            dict(self.learner.carried),
            self.optimiser.rate,
            self.number,
            self.step,
            self.learner.batches,
            self.sums,
            dict(self.drawn),
            history,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Resume from a snapshot."""
        if snapshot.params.shape != self.params.shape or set(snapshot.slots) != set(self.state) - {SCRATCH}:
            raise UsageError("this checkpoint is one of another model or another optimiser")
        self.params[...] = snapshot.params
        for name, slot in snapshot.slots.items():
            self.state[name][...] = slot
        self.optimiser = dataclasses.replace(self.optimiser, rate=snapshot.rate)
        self.learner.carried, self.learner.batches = dict(snapshot.carried), snapshot.batches
        self.number, self.step, self.sums = snapshot.epoch, snapshot.step, snapshot.sums
        self.drawn, self.history = snapshot.drawn, snapshot.history
        self.rng.bit_generator.state = self.drawn

    # --------------------------------------------------------------------------------------------------- updates

    def learn(self, group: list[tuple[Batch, bool]]) -> None:
        """One update."""
        parts, grad = self.learner.gradient(self.params, group)
        self.step += 1
        for part in parts:
            self._guard("loss", part.loss)
        length = self.learner.regularise(self.params, grad)
        self._guard("length of the gradient", length)
        most = self.options.halve_above
        if most is not None and length > most >= self.sums.longest:
            self.optimiser = dataclasses.replace(self.optimiser, rate=self.optimiser.rate / 2)
        rate, facts = self._move(parts, grad)
        self.sums = self.sums.plus(parts, length, rate, facts)
        self.report.step(self.number, self.step, mean_of(parts), facts)

    def _move(self, parts: list[Part], grad: Vector) -> tuple[float, Facts]:
        """Change the parameters; returns the rate, or the step size, and figures of the optimiser."""
        if isinstance(self.optimiser, HessianFree):
            return second_order.move(self.learner, parts, self.params, grad, self.state)
        rate = self.optimiser.rate * self.options.schedule.factor(self._time(), self.options.epochs)
        self.updates.apply(dataclasses.replace(self.optimiser, rate=rate), self.params, grad, self.state, self.step)
        return rate, {}

    def _time(self) -> float:
        """The number of epochs so far, with fractions."""
        steps = max(self.task.steps / self.options.accumulate, self.sums.steps + 1.0)
        return self.number + self.sums.steps / steps

    def _guard(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        cure = "a lower rate" if self.options.clip is not None else "a lower rate, or clip the gradient"
        told = f"the {what} is {value} at step {self.step} (epoch {self.number})"
        raise DivergedError("; ".join([told, *trace(self.learner, self.params), f"try {cure}"]), self.history)

    # ---------------------------------------------------------------------------------------------------- epochs

    def epochs(self, asked: Interrupts) -> None:
        """Run all epochs, until early stopping or an interrupt."""
        if self.history.stopped != DONE:
            return  # it had ended when the snapshot was taken
        try:
            while self.number < self.options.epochs:
                record = self.epoch(asked)
                if record is None:
                    self.history.stopped = INTERRUPTED
                    break
                on = self.judge(record)
                self.number, self.sums = self.number + 1, Sums()
                self.drawn = self.rng.bit_generator.state
                self.report.epoch(record)
                last = not on or self.number == self.options.epochs
                self.save(self.snapshot, last or not self.updates.resumable)
                if not on:
                    break
        except AskedError:
            if self.updates.resumable:
                self.save(self.snapshot, True)  # before the history is marked: training is resumed from here
            self.history.stopped = INTERRUPTED
        except KeyboardInterrupt:  # perhaps in the middle of an update
            self.history.stopped = INTERRUPTED

    def epoch(self, asked: Interrupts) -> Epoch | None:
        """Run the rest of an epoch, then validation; None if interrupted."""
        start = time.perf_counter()
        before = self.step - self.sums.steps
        with self.updates.epoch(self.optimiser, self.params, self.state, self.step):
            if not self.pass_through(asked):
                return None
        self.sums = self.updates.total(self.sums)
        self.step = before + self.sums.steps
        if not self.sums.steps:
            raise UsageError(f"the task {self.task.name} has nothing to learn from")
        valid = evaluate(self.model, self.params, self.task.valid())
        s = self.sums
        loss = mean(s.weighed, s.weights) or 0.0
        facts = {**s.facts, **self._criterion()}
        return Epoch(
            self.number,
            s.steps,
            loss,
            loss * s.sequences,
            valid,
            s.lengths / s.steps,
            s.rate,
            time.perf_counter() - start,
            facts,
        )

    def pass_through(self, asked: Interrupts) -> bool:
        """The rest of the updates of an epoch; returns whether all were made, and no stop was requested."""
        stream = islice(self.task.train(self.number, self.rng), self.sums.batches, None)
        for group in _groups(self.updates.own(stream), self.options.accumulate):
            self.learn(group)
            stop = asked.now() and self.updates.interrupt()
            if self.updates.resumable:
                self.save(self.snapshot, stop)
            if stop:
                return False
        return True

    def _criterion(self) -> Facts:
        """The task's measure on the validation data, if training is to end by it; notes whether it is surely solved."""
        measure = self.task.measure
        if not self.options.until_solved or measure is None:
            return {}
        found = judged(self.model, self.task, self.params, self.task.valid())
        if measure.surely_met(found):
            self.history.solved = self.step
        return {"measured": found.value}

    def judge(self, record: Epoch) -> bool:
        """Keep the parameters if they are the best so far; returns whether to continue."""
        history = self.history
        history.epochs.append(record)
        best = history.best_valid
        if history.solved is not None:
            history.best_valid, history.best_epoch = record.valid, record.number
            history.params, history.stopped = self.params.copy(), SOLVED
            return False
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


def _checked(model: Trainable, task: Task, options: Options) -> Options:
    """The options as they apply to this model."""
    if not model.has_loss:
        raise UsageError("this spec has no `loss` line, so there is nothing to train it by")
    if model.batch_first:
        raise UsageError("training feeds [T, B, ...] arrays: compile the spec without batch_first")
    options = second_order.checked(model, options)
    if options.until_solved:
        check_criterion(model, task)
    return options


def train(
    model: Trainable,
    task: Task,
    options: Options | None = None,
    report: Reporter | None = None,
    params: Any = None,
    *,
    resume: Snapshot | None = None,
    save: Save | None = None,
) -> History:
    """Train `model` on `task` from `params` (default: `model.init(options.seed)`), and return the history.

    The parameters in the history are the ones with the best validation loss, or the last ones where there is nothing
    to validate on; with `until_solved` those that met the criterion. All randomness follows from `options.seed`. An
    interrupt (Ctrl-C, SIGTERM) ends training after the current update, as early stopping does; a second one ends it at
    once. `save` is called after each update and may take a snapshot; resuming from it (`resume`) ends with the same
    bits.

    Raises:
        UsageError: the model has no loss, or is compiled batch first; the snapshot is one of another model; an option
            has no effect with the optimiser; training until a task is solved that has no criterion.
        DivergedError: loss or gradient became NaN or infinite; the message names the step, and where it came up.
    """
    options, report = _checked(model, task, options or Options()), report or Silent()
    start = time.perf_counter()
    run = _Run(model, task, options, report, np.array(model.init(options.seed) if params is None else params))
    if resume is not None:
        run.restore(resume)
    run.save = save or run.save
    try:
        with Interrupts() as asked:
            report.begin(task, options)
            run.epochs(asked)
        history = run.history
        if history.epochs:
            history.test = evaluate(model, history.params, task.test())
            judge(history, model, task)
        history.seconds += time.perf_counter() - start
        report.end(history)
    finally:
        report.close()
    return history
