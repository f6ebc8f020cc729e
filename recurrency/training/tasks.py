"""The tasks that `recurrency train` knows by name: what is learned, from which data, and a recipe that works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from recurrency.training.data import Batch, Sequences, batches, find_data, read_ragged

Feed: TypeAlias = Callable[[int, np.random.Generator], Iterable[Batch]]


@dataclass(frozen=True)
class Task:
    """Batches to learn from and to be judged by.

    `train(epoch, rng)` yields the batches of an epoch, counted from 0; `steps` is their number. `valid` and `test` are
    called for each pass; a task that has none of them yields nothing there.
    """

    name: str
    train: Feed
    steps: int
    valid: Callable[[], Iterable[Batch]] = field(default=tuple)
    test: Callable[[], Iterable[Batch]] = field(default=tuple)


@dataclass(frozen=True)
class Settings:
    """What a task is made from: where data may lie, sizes, and the type of the numbers.

    `length` is the number of steps of a generated sequence, `chunk` the longest piece of a training sequence (None:
    whole).
    """

    data: str | Path | None = None
    batch: int = 16
    length: int = 30
    chunk: int | None = None
    dtype: DTypeLike = np.float64
    seed: int = 0


# ------------------------------------------------------------------------------------------------ generated sequences


def _bits(rng: np.random.Generator, settings: Settings) -> Batch:
    x = rng.integers(0, 2, (settings.length, settings.batch, 1)).astype(settings.dtype)
    return Batch({"x": x}, None, settings.batch)


def first_element(settings: Settings, steps: int = 100) -> Task:
    """Sequences of random bits x [T, B, 1], fresh ones at every step; the first bit is to be told at the end."""

    def train(epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        return (_bits(rng, settings) for _ in range(steps))

    def fixed(key: int) -> Callable[[], Iterable[Batch]]:
        rng = np.random.default_rng([settings.seed, key])
        kept = [_bits(rng, settings) for _ in range(max(1, 1000 // settings.batch))]
        return lambda: kept

    return Task("first-element", train, steps, fixed(1), fixed(2))


def readme_sample(settings: Settings, steps: int = 1000) -> Task:
    """The data of the sample run in the first README (August 2015): `steps` single sequences an epoch.

    All sequences come one after the other out of one generator with seed 123, so that they are the same whatever the
    weights; there is no validation, and what was printed is the sum over an epoch of |x_1 - y_T|, each before its
    update.
    """
    stream = np.random.RandomState(123)

    def train(epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        if epoch == 0:
            stream.seed(123)
        for _ in range(steps):
            x = stream.randint(2, size=(settings.length, 1), dtype=np.int64)
            yield Batch({"x": x[:, None, :].astype(settings.dtype)}, None, 1)

    return Task("readme-sample", train, steps)


# -------------------------------------------------------------------------------------------------- sequences of files


def from_sequences(name: str, splits: Mapping[str, Sequences], settings: Settings) -> Task:
    """A task over given sequences: training ones cut to `settings.chunk`, the others whole."""
    learned = splits["train"].cut(settings.chunk) if settings.chunk else splits["train"]
    feed = partial(batches, size=settings.batch, dtype=settings.dtype)

    def whole(split: str) -> Callable[[], Iterable[Batch]]:
        data = splits.get(split)
        return partial(feed, data) if data is not None else tuple

    steps = -(-len(learned) // settings.batch)
    return Task(name, lambda epoch, rng: feed(learned, rng=rng), steps, whole("valid"), whole("test"))


def music(settings: Settings, file: str) -> Task:
    """Piano rolls x [T, B, 88] of one collection (Boulanger-Lewandowski et al. 2012), in its published splits."""
    path = find_data(f"music/{file}.npz", settings.data)
    return from_sequences(file, read_ragged(path, "x"), settings)


# ------------------------------------------------------------------------------------------------------------- recipes


@dataclass(frozen=True)
class Recipe:
    """One row of the table of tasks: the shipped cell, its dimensions, and options of the command that suit it.

    `solved` is the sum of an epoch's losses below which a run counts as having learned the task, where there is such a
    mark.
    """

    name: str
    cell: str
    build: Callable[[Settings], Task]
    meaning: str
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    solved: float | None = None


_MUSIC: Mapping[str, Any] = {"optimiser": "adam", "rate": 0.003, "clip": 1.0, "batch": 16, "chunk": 100, "epochs": 200}
_README: Mapping[str, Any] = {
    "optimiser": "adagrad",
    "rate": 0.1,
    "epochs": 15,
    "batch": 1,
    "length": 30,
    "dtype": "float64",
    "log_form": "readme",
}
_NOTES = "what sounds next, in nats a frame (sum over the 88 keys, mean over all frames): "
_COLLECTIONS: Sequence[tuple[str, str, str]] = (
    ("jsb", "JSB_Chorales", "Bach's chorales"),
    ("nottingham", "Nottingham", "folk tunes"),
    ("piano-midi", "Piano_midi", "classical piano"),
    ("musedata", "MuseData", "orchestral and piano works"),
)

_ROWS = (
    Recipe(
        "first-element",
        "FirstElement",
        first_element,
        "tell the first of a sequence of bits at its end, cross-entropy",
        {"H": 10},
        {"optimiser": "adam", "rate": 0.01, "epochs": 20, "batch": 16, "length": 20, "clip": 1.0},
    ),
    Recipe(
        "readme-sample",
        "FirstElementAbsolute",
        readme_sample,
        "the sample run of the first README: the same, absolute error, AdaGrad, one sequence at a time",
        {"H": 10},
        _README,
        solved=100.0,
    ),
    *(
        Recipe(name, "Music", partial(music, file=file), _NOTES + words, {"H": 46}, _MUSIC)
        for name, file, words in _COLLECTIONS
    ),
)

RECIPES: Mapping[str, Recipe] = {row.name: row for row in _ROWS}
