"""Batches of synthetic tasks, and bounds on how often their sequences vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from recurrency.training.data import Array, Batch
from recurrency.training.tasks import TASKS, Settings

MANY = 2000

RNG = 5


def first(stream: Iterable[Batch]) -> Batch:
    return next(iter(stream))


def made(name: str, batch: int = MANY, **options: Any) -> Batch:
    """One large batch of a task."""
    return first(TASKS[name].build(Settings(batch=batch), **options).train(0, np.random.default_rng(RNG)))


def columns(batch: Batch, *names: str) -> list[tuple[Array, ...]]:
    """The arrays of each sequence without padding."""
    steps = batch.steps(names[0])
    return [tuple(batch.inputs[name][: steps[b], b] for name in names) for b in range(len(steps))]


def spread(found: Any, low: int, high: int) -> None:
    """All whole numbers from low to high are there, none else, each about as often as the others."""
    counts = Counter(int(n) for n in found)
    assert sorted(counts) == list(range(low, high + 1))
    mean = sum(counts.values()) / len(counts)
    assert all(abs(n - mean) < 6 * np.sqrt(mean) for n in counts.values())


def two_marks(batch: Batch) -> tuple[Array, Array]:
    """The steps of the marks [count, 2] and what stands there [count, 2]."""
    places, values = [], []
    for x, _ in columns(batch, "x", "target"):
        at = np.flatnonzero(x[:, 1] == 1)
        assert len(at) == 2
        places.append(at)
        values.append(x[at, 0])
    return np.array(places), np.array(values)
