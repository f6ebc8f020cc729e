"""Tasks: batches for training and evaluation, and facts about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from recurrency.errors import UsageError
from recurrency.training.data.pieces import CLOCKS, count, pieces
from recurrency.training.data.sequences import Batch, Input, Sequences, apart, batches
from recurrency.training.tasks.measures import Measure

Feed: TypeAlias = Callable[[int, np.random.Generator], Iterable[Batch]]


@dataclass(frozen=True)
class Task:
    """Batches for training and evaluation.

    `train(epoch, rng)` yields the batches of an epoch, counted from 0; they follow from its arguments alone, so that a
    run can go on in the middle of an epoch. `steps` is their number. `valid` and `test` are called for each pass; a
    task that has none of them yields nothing there. `inputs` says what the batches hold, where that is known, and
    `measure` how success is measured apart from the loss. `facts` are what a user of the trained model needs to know
    of the data, as JSON can hold it, and are kept in a run folder. `vocabulary` is the list of symbols, or such a list
    for each input that has another one; `unit` says what they are (see `text.UNITS`), `ends` which of them ends a
    sequence of which input, `steps` how long sequences are as a rule, and `pace` how many there are for
    each symbol of another clock; `scale` is what distances were divided by, and `lowest` the key of the first bit, as
    MIDI counts. `told` is what there is to say about the data before training, a line each.
    """

    name: str
    train: Feed
    steps: int
    valid: Callable[[], Iterable[Batch]] = field(default=tuple)
    test: Callable[[], Iterable[Batch]] = field(default=tuple)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    measure: Measure | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What a task is built from: the place of the data, sizes, and the dtype.

    `length` is the number of steps of a generated sequence, `chunk` the longest piece of a training sequence (None:
    whole), where a task has no options of these names.
    """

    data: str | Path | None = None
    batch: int = 16
    length: int = 30
    chunk: int | None = None
    dtype: DTypeLike = np.float64
    seed: int = 0


def from_sequences(name: str, splits: Mapping[str, Sequences], settings: Settings, **known: Any) -> Task:
    """A task over given sequences: training ones cut to `settings.chunk`, the others whole; `known` are more fields."""
    learned = splits["train"].cut(settings.chunk) if settings.chunk else splits["train"]
    feed = partial(batches, size=settings.batch, dtype=settings.dtype)

    def whole(split: str) -> Callable[[], Iterable[Batch]]:
        data = splits.get(split)
        return partial(feed, data) if data is not None else tuple

    steps = -(-len(learned) // settings.batch)
    return Task(name, lambda epoch, rng: feed(learned, rng=rng), steps, whole("valid"), whole("test"), **known)


def truncated(task: Task, steps: int) -> Task:
    """The task with training sequences read in pieces of at most `steps` steps (`data.pieces`); an update sees a piece.

    `steps` of the result counts the pieces of the first epoch. Sequences to judge by are read whole.

    Raises:
        UsageError: the inputs of the task run over several clocks.
    """
    if len({port.clock for port in task.inputs.values()}) > 1:
        raise UsageError(CLOCKS)

    def train(epoch: int, rng: np.random.Generator) -> Iterable[Batch]:
        return chain.from_iterable(pieces(batch, steps) for batch in task.train(epoch, rng))

    number = sum(count(batch, steps) for batch in task.train(0, np.random.default_rng(0)))
    return replace(task, train=train, steps=number)


BLOCK = 32
"""Sequences to judge by are drawn so many at a time."""


Draw: TypeAlias = Callable[[np.random.Generator, int], Batch]
"""Draws so many sequences."""


def from_draws(
    name: str, draw: Draw, settings: Settings, steps: int, held: int, judge: Draw | None = None, **known: Any
) -> Task:
    """A task of synthetic sequences: `draw(rng, count)` makes `count` of them, new ones at each of the `steps`.

    `held` sequences each are kept to validate and to test on; they follow from `settings.seed` alone, whatever the size
    of a batch, and `judge` draws them, if that is not `draw`. `known` are further fields of the task.
    """
    ports: Mapping[str, Input] = known.get("inputs", {})

    def train(epoch: int, rng: np.random.Generator) -> Iterable[Batch]:
        return (draw(rng, settings.batch) for _ in range(steps))

    @cache
    def judges(key: int) -> list[Batch]:
        rng = np.random.default_rng([settings.seed, key])
        drawn = [(judge or draw)(rng, min(BLOCK, held - start)) for start in range(0, held, BLOCK)]
        return list(batches(apart(drawn, ports), settings.batch, settings.dtype))

    return Task(name, train, steps, partial(judges, 1), partial(judges, 2), **known)
