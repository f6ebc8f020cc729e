"""Loads a trained model from a run folder, with the facts of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.generating.steps import Array
from recurrency.model.model import Model
from recurrency.training.runs.folders import BEST, RunFolder, started
from recurrency.training.runs.session import Session
from recurrency.training.runs.weights import load_weights, read_about


@dataclass(frozen=True)
class Trained:
    """A compiled model, its best parameters [size], and the facts of its task (see `training.tasks.task.Task`)."""

    model: Model
    params: Array
    facts: Mapping[str, Any]


def trained(path: str | Path, backend: str | None = None, tell: Callable[[str], None] = lambda words: None) -> Trained:
    """The model of a folder of `recurrency train ... --run FOLDER`; during training, that of the last checkpoint.

    Raises:
        UsageError: there is no run, it has no parameters yet, or it has neither the facts of its task nor its data.
    """
    folder = started(path)
    session = Session.opened(folder.path, backend, tell)
    facts = folder.facts()
    facts = _made_again(session, folder) if facts is None else facts
    return Trained(session.model, _parameters(folder, session.model, tell), facts)


def _made_again(session: Session, folder: RunFolder) -> dict[str, Any]:
    """The facts of the task, computed from its data, for a run of a version that did not store them."""
    try:
        return dict(session.task(session.options["seed"]).facts)
    except UsageError as error:
        raise UsageError(f"{folder.path} has no facts about its data, and the data are missing: {error}") from error


def _parameters(folder: RunFolder, model: Model, tell: Callable[[str], None]) -> Array:
    """The best parameters; the latest ones before the first epoch has ended."""
    if (folder / BEST).exists() and int(read_about(folder / BEST).get("epoch", 0)) >= 0:
        params: Array = load_weights(folder / BEST, model)
        if not np.isfinite(params).all():
            raise UsageError(f"{folder / BEST} has numbers that are not finite; train again")
        return params
    snapshot = folder.checkpoint(tell)
    if snapshot is None:
        raise UsageError(f"{folder.path} has no parameters yet; wait for its first checkpoint")
    best: Array = snapshot.history.params if snapshot.history.best_epoch >= 0 else snapshot.params
    return best
