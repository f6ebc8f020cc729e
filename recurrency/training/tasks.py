"""The tasks that `recurrency train` knows by name: what is learned, from which data, and a recipe that works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from recurrency.training import frames, images, labelled, marks, phrases, programs, symbols, text, toys, translation
from recurrency.training.kinds import Kind
from recurrency.training.task import Feed as Feed
from recurrency.training.task import Settings as Settings
from recurrency.training.task import Task as Task
from recurrency.training.task import from_sequences as from_sequences
from recurrency.training.toys import first_element as first_element
from recurrency.training.toys import readme_sample as readme_sample

_MODULES = (toys, marks, symbols, phrases, programs, text, labelled, images, translation, frames)

TASKS: Mapping[str, Kind] = {kind.name: kind for module in _MODULES for kind in module.KINDS}
"""The table of tasks; each row lies beside what it makes."""

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
        Recipe(name, "Music", partial(frames.music, file=file), _NOTES + words, {"H": 46}, _MUSIC)
        for name, file, words in frames.COLLECTIONS
    ),
)

RECIPES: Mapping[str, Recipe] = {row.name: row for row in _ROWS}
