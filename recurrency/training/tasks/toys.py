"""The first of a sequence of bits, to be reported at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from recurrency.training.data.sequences import Batch, Input
from recurrency.training.tasks.kinds import HELD, STEPS, Kind, Option
from recurrency.training.tasks.measures import at_end, sided
from recurrency.training.tasks.task import Settings, Task, from_draws

INPUTS = {"x": Input((1,))}


def first_element(settings: Settings, steps: int = 100, held: int = 1000) -> Task:
    """Sequences of random bits x [T, B, 1], fresh ones at every step; the first bit is to be told at the end."""

    def draw(rng: np.random.Generator, count: int) -> Batch:
        x = rng.integers(0, 2, (settings.length, count, 1)).astype(settings.dtype)
        return Batch({"x": x})

    return from_draws("first-element", draw, settings, steps, held, inputs=INPUTS, measure=FORGOTTEN)


FORGOTTEN = sided(lambda batch: batch.inputs["x"][0], lambda y, batch: at_end(y, batch, "x"), "x", 0.01)


def readme_sample(settings: Settings, steps: int = 1000) -> Task:
    """The data of the sample run in the first README (August 2015): `steps` single sequences an epoch.

    All sequences come one after the other out of one generator with seed 123, so that they are the same whatever the
    weights; there is no validation, and what was printed is the sum over an epoch of |x_1 - y_T|, each before its
    update.
    """

    def train(epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        stream = np.random.RandomState(123)
        stream.randint(2, size=epoch * steps * settings.length, dtype=np.int64)  # what earlier epochs have drawn
        for _ in range(steps):
            x = stream.randint(2, size=(settings.length, 1), dtype=np.int64)
            yield Batch({"x": x[:, None, :].astype(settings.dtype)})

    return Task("readme-sample", train, steps, inputs=INPUTS)


KINDS = (
    Kind(
        "first-element",
        "output the first of a sequence of bits at its end",
        "the first version of this project",
        {"x": "[1]: a bit"},
        lambda settings, length, steps, held: first_element(replace(settings, length=length), steps, held),
        (Option("length", 20, "steps", 1), STEPS, HELD),
        solved="fewer than 1 % on the wrong side",
    ),
    Kind(
        "readme-sample",
        "the same, one sequence at a time, the ones of the sample run in the first README",
        "the first version of this project",
        {"x": "[1]: a bit"},
        lambda settings, length, steps: readme_sample(replace(settings, length=length), steps),
        (Option("length", 30, "steps", 1), replace(STEPS, default=1000)),
        solved="the losses of an epoch of 1000 updates add up to less than 100",
    ),
)
