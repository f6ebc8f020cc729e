"""A trained model in a run folder, with what its task knows of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.generating.steps import Array
from recurrency.model.model import Model
from recurrency.training.loop.processes import Processes
from recurrency.training.runs.experiments import load
from recurrency.training.runs.folders import BEST, RUN, RunFolder, started
from recurrency.training.runs.session import Session
from recurrency.training.runs.weights import load_weights, read_about


@dataclass(frozen=True)
class Trained:
    """A compiled model, its best parameters [size], and the facts of its task (see `training.tasks.task.Task`)."""

    model: Model
    params: Array
    facts: Mapping[str, Any]


def trained(path: str | Path, backend: str | None = None, tell: Callable[[str], None] = lambda words: None) -> Trained:
    """What `recurrency train ... --run FOLDER` has left there; while it still trains, by its last checkpoint.

    Raises:
        UsageError: there is no run, or nothing trained yet; its facts were not kept, and its data are missing.
    """
    folder = started(path)
    experiment = load(folder / RUN).changed({"backend": backend} if backend else {})
    session = Session.of(experiment, tell, Processes())
    facts = folder.facts()
    facts = _made_again(session, folder) if facts is None else facts
    return Trained(session.model, _parameters(folder, session.model, tell), facts)


def _made_again(session: Session, folder: RunFolder) -> dict[str, Any]:
    """The facts of a run that was begun before they were kept."""
    try:
        return dict(session.task(session.options["seed"]).facts)
    except UsageError as error:
        raise UsageError(f"{folder.path} says nothing of its data, which are not there either: {error}") from error


def _parameters(folder: RunFolder, model: Model, tell: Callable[[str], None]) -> Array:
    """The best parameters; those at hand where no epoch has ended yet."""
    if (folder / BEST).exists() and int(read_about(folder / BEST).get("epoch", 0)) >= 0:
        params: Array = load_weights(folder / BEST, model)
        if not np.isfinite(params).all():
            raise UsageError(f"{folder / BEST} holds numbers that are not finite; train again")
        return params
    snapshot = folder.checkpoint(tell)
    if snapshot is None:
        raise UsageError(f"{folder.path} holds no parameters yet; wait for its first checkpoint")
    best: Array = snapshot.history.params if snapshot.history.best_epoch >= 0 else snapshot.params
    return best
