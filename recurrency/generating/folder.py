"""Loads a trained model from a run folder, with the facts of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError
from recurrency.generating.steps import Array
from recurrency.model.model import Model
from recurrency.training.runs.best import best_parameters
from recurrency.training.runs.folders import RunFolder, started
from recurrency.training.runs.session import Session
from recurrency.training.runs.shipped_cells import check_shipped


@dataclass(frozen=True)
class Trained:
    """A compiled model, its best parameters [size], and the facts of its task (see `training.tasks.task.Task`)."""

    model: Model
    params: Array
    facts: Mapping[str, Any]


def trained(path: str | Path, backend: str | None = None, tell: Callable[[str], None] = lambda words: None) -> Trained:
    """The model of a folder of `recurrency train ... --run FOLDER`; during training, that of the last checkpoint.

    Raises:
        UsageError: there is no run, it has no parameters yet, a shipped cell that it uses has changed, or the facts of
            its task are missing and its data as well.
    """
    folder = started(path)
    session = Session.opened(folder.path, backend, tell)
    check_shipped(folder, session.spec, session.experiment.dimensions)
    facts = folder.facts()
    facts = _made_again(session, folder) if facts is None else facts
    return Trained(session.model, best_parameters(folder, session.model, tell), facts)


def _made_again(session: Session, folder: RunFolder) -> dict[str, Any]:
    """The facts of the task, computed from its data, for a run of a version that did not store them."""
    try:
        return dict(session.task(session.options["seed"]).facts)
    except UsageError as error:
        raise UsageError(f"{folder.path} has no facts about its data, and the data are missing: {error}") from error
