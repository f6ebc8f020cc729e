"""The network behind an estimator: a shipped one around the cell, compiled once, trained by the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.language.given_files import is_cell
from recurrency.model.model import Model
from recurrency.model.shipped import names
from recurrency.model.shipped import spec as shipped
from recurrency.model.spec import Spec, load
from recurrency.predicting.outputs import outputs
from recurrency.training.data.sequences import Array, Input, Sequences
from recurrency.training.loop.loop import INTERRUPTED, History, Silent, train
from recurrency.training.loop.processes import Processes
from recurrency.training.runs.experiments import Experiment, check_option
from recurrency.training.runs.reporters import REPORTERS
from recurrency.training.runs.session import Session
from recurrency.training.tasks.task import Settings, from_sequences

OPEN = ("rate", "clip", "patience")
"""The options that may be None."""
KEPT = 32
"""Compiled models that are kept: a grid search needs each of them in every fold."""


def spec_of(cell: Any) -> Spec:
    """A cell by the name of a shipped one, by the path of a .rnn file, or as a spec.

    Raises:
        UsageError: there is no such cell or file, or it is something else. SpecError: the file is malformed.
    """
    if not isinstance(cell, Spec | str | Path):
        raise UsageError(f"cell must be the name of a shipped cell, the path of a .rnn file or a spec, not {cell!r}")
    if isinstance(cell, Spec):
        found = cell
    else:
        found = load(cell) if is_cell(cell) else shipped(str(cell))
    found.definition  # noqa: B018 - parsed now, so that a later change of its file is none of it
    return found


@dataclass(frozen=True)
class Network:
    """A shipped network `name` around a cell, with its sizes; `target` is the input that its loss compares.

    Two are equal if they compile to the same model.
    """

    name: str
    target: str
    cell: Spec = field(compare=False)
    made_of: str
    sizes: tuple[tuple[str, int], ...]
    backend: str
    dtype: str

    @property
    def told(self) -> str:
        """The network in the words of a message."""
        return f"{self.cell.name}({', '.join(f'{name}={size}' for name, size in self.sizes)}), {self.dtype}"

    @property
    def dimensions(self) -> dict[str, Any]:
        """The dimensions to compile for."""
        return {**dict(self.sizes), "Cell": self.cell}

    def experiment(self, training: Mapping[str, Any]) -> Experiment:
        """The experiment that trains it.

        Raises:
            UsageError: an option has an impossible value.
        """
        options = {**{name: plain(value) for name, value in training.items()}, "backend": self.backend}
        options |= {"dtype": self.dtype, "log-form": "quiet"}
        for name, value in options.items():
            if value is not None or name not in OPEN:
                check_option(name, value)
        name = self.cell.name
        cell = name if name in names() and shipped(name).made_of == self.made_of else self.cell
        dimensions = {**self.dimensions, "Cell": cell}
        return Experiment(
            self.name, self.name, about="fitted by recurrency.sklearn", dimensions=dimensions, training=options
        )

    def session(self, training: Mapping[str, Any]) -> Session:
        """The session of a run with these options."""
        experiment = self.experiment(training)
        return Session(experiment, shipped(self.name), compiled(self), print, Processes())


def plain(value: Any) -> Any:
    """A number of NumPy, as a grid of parameters has them, as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


@lru_cache(maxsize=KEPT)
def compiled(network: Network) -> Model:
    """The compiled model of a network; the same object for equal ones.

    Raises:
        SpecError: the cell does not fit into the network. UsageError: the backend can't run here.
    """
    options: dict[str, Any] = {"backend": network.backend, "dtype": network.dtype, "dimensions": network.dimensions}
    return shipped(network.name).compile(**options)


def learn(session: Session, splits: Mapping[str, Sequences], initial: Array | None, verbose: bool) -> History:
    """Train on the split `train`, judged by the split `valid` where there is one.

    Raises:
        UsageError, DivergedError: as `recurrency.training.loop.train`.
    """
    how, model = session.options, session.model
    settings = Settings(batch=how["batch"], dtype=model.dtype, seed=how["seed"])
    inputs = {name: Input(tuple(port.shape), port.index, "t") for name, port in model.inputs.items()}
    task = from_sequences(session.spec.name, splits, settings, inputs=inputs)
    report = REPORTERS["lines"](session.spec.name, print) if verbose else Silent()
    params = session.initial(how["seed"]) if initial is None else initial
    return train(model, task, session.how(how["seed"]), report, params)


def interrupted(history: History) -> bool:
    """Whether the user ended training."""
    return history.stopped == INTERRUPTED


def answers(model: Model, params: Array, rows: list[Array]) -> list[Array]:
    """The only output of a model at each step of each sequence, [T_i, K]."""
    found = outputs(model, params, Sequences({"x": rows}, {"x": "t"}), (), {}, 0)
    return list(found.output)
