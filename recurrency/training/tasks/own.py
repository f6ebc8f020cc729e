"""A task on a user's file: sequences in .npz or .csv, or a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.readers import ending, read_user
from recurrency.training.data.sequences import Batch, Input, usual
from recurrency.training.runs.fitting import fitted
from recurrency.training.tasks import TASKS
from recurrency.training.tasks.kinds import PIECES, Kind, Option
from recurrency.training.tasks.task import Settings, Task, from_sequences

OPTIONS = (
    PIECES,
    Option("held", 10.0, "percent of the sequences each for validation and test, if these are not given", 0, 49),
)
"""The options for a file of sequences; a text has the options of the task `text`."""


def own_task(settings: Settings, model: Any, **options: Any) -> Task:
    """The task on the file `settings.data`, fitted to a compiled model.

    Raises:
        UsageError: the file cannot be read or does not fit the spec (the message names the first bad row); there is
            no such option.
    """
    path = Path(str(settings.data))
    if ending(path) == ".txt":
        return fitted(_named(TASKS["text"].build(settings, **options), model), model)

    def make(settings: Settings, chunk: int, held: float) -> Task:
        inputs = {name: Input(tuple(p.shape), p.index, p.clock or "t") for name, p in model.inputs.items()}
        splits = read_user(path, model.inputs, held / 100 if "held" in options else None, np.dtype(settings.dtype).name)
        facts = {"lowest": 0, "scale": [1.0, 1.0], "steps": usual(splits["train"])}
        cut = replace(settings, chunk=chunk or settings.chunk)
        return from_sequences(path.stem, splits, cut, inputs=inputs, facts=facts)

    return fitted(Kind(f"on {path.name}", "", "", {}, make, OPTIONS).build(settings, **options), model)


def renamed(inputs: Mapping[str, Input], names: Sequence[str]) -> Mapping[str, Input]:
    """The inputs of a text for a spec with inputs of these names: a single one has the symbols, whatever its name."""
    return inputs if len(names) != 1 or "x" in names else {names[0]: inputs["x"]}


def _named(task: Task, model: Any) -> Task:
    """A text as the only input of a spec, whatever its name."""
    if len(model.inputs) != 1 or "x" in model.inputs:
        return task
    (name,) = model.inputs
    if model.inputs[name].index is None:
        raise UsageError(f"a text is made of symbols; the input {name} of the spec takes numbers")

    def rename(batch: Batch) -> Batch:
        return replace(batch, inputs={name: batch.inputs["x"]})

    return replace(
        task,
        train=lambda epoch, rng: map(rename, task.train(epoch, rng)),
        valid=lambda: map(rename, task.valid()),
        test=lambda: map(rename, task.test()),
        inputs=renamed(task.inputs, [name]),
    )
