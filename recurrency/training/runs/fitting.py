"""Fits a task to a model: inputs that the spec does not have are left out, mismatches are reported before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recurrency.errors import UsageError
from recurrency.training.data.rows import shown
from recurrency.training.data.sequences import Batch, Input, InputPort
from recurrency.training.tasks.task import Task


def fitted(task: Task, model: Any) -> Task:
    """The task with the inputs that a compiled model has.

    Raises:
        UsageError: the spec has an input that the task does not have, or one of another shape or with fewer symbols.
    """
    if not task.inputs:
        return task
    for name, port in model.inputs.items():
        _check(task, name, port)

    clocks = {port.clock for port in model.inputs.values()}

    def fit(batch: Batch) -> Batch:
        lengths = batch.lengths
        if isinstance(lengths, dict):
            lengths = {clock: each for clock, each in lengths.items() if clock in clocks}
        return replace(batch, inputs={name: batch.inputs[name] for name in model.inputs}, lengths=lengths)

    return replace(
        task,
        train=lambda epoch, rng: map(fit, task.train(epoch, rng)),
        valid=lambda: map(fit, task.valid()),
        test=lambda: map(fit, task.test()),
        inputs={name: task.inputs[name] for name in model.inputs},
    )


def told(inputs: Mapping[str, Input]) -> str:
    """Inputs as a message names them: `x [2], label symbol of 10`."""
    return ", ".join(f"{name} {_kind(port)}" for name, port in inputs.items())


def _kind(port: InputPort) -> str:
    return shown(port) if port.index is None else f"symbol of {port.index}"


def _check(task: Task, name: str, port: InputPort) -> None:
    own = task.inputs.get(name)
    if own is None:
        raise UsageError(f"the spec has the input {name}, the task {task.name} has {told(task.inputs)}")
    if own.index is not None and port.index is not None and own.index > port.index:
        raise UsageError(
            f"{name} of the task {task.name} has {own.index} different symbols; the spec was compiled for {port.index}"
        )
    if (own.index is None) != (port.index is None) or own.shape != tuple(port.shape):
        raise UsageError(f"{name} of the task {task.name} is {_kind(own)}; the spec needs {_kind(port)}")
    if len({other.clock for other in task.inputs.values()}) > 1 and own.clock != port.clock:
        raise UsageError(
            f"{name} of the task {task.name} runs over the clock {own.clock}; in the spec it runs over {port.clock}"
        )
