"""What a task gives."""

from __future__ import annotations

import numpy as np

from recurrency.training.data import Array, Batch
from recurrency.training.tasks import Task


def epoch(task: Task, seed: int = 0) -> list[Batch]:
    return list(task.train(0, np.random.default_rng(seed)))


def parts(task: Task) -> dict[str, list[Batch]]:
    return {"train": epoch(task), "valid": list(task.valid()), "test": list(task.test())}


def sequences(batches: list[Batch], *names: str) -> list[tuple[Array, ...]]:
    """The arrays of every sequence, without padding."""
    out = []
    for batch in batches:
        steps = batch.steps(names[0])
        out += [tuple(batch.inputs[name][: steps[b], b] for name in names) for b in range(len(steps))]
    return out


def counts(task: Task) -> dict[str, int]:
    return {part: sum(next(iter(b.inputs.values())).shape[1] for b in own) for part, own in parts(task).items()}
