"""Estimators on disk: run folders, as `recurrency train` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.disk.files import require_file
from recurrency.errors import UsageError
from recurrency.predicting.loaded import LoadedRun, load_run
from recurrency.sklearn.network import Network, spec_of
from recurrency.training.loop.progress import History, Options
from recurrency.training.runs.best import epoch_of
from recurrency.training.runs.folders import BEST, METRICS, RunFolder
from recurrency.training.runs.metrics import Metrics
from recurrency.training.runs.running import begin
from recurrency.training.runs.session import Session
from recurrency.training.runs.weights import save_weights
from recurrency.training.tasks.task import Task

WEIGHTS = ".safetensors"


def store(path: str | Path, session: Session, history: History, facts: Mapping[str, Any]) -> None:
    """Write a run folder; or, where the name ends in .safetensors, the parameters alone.

    Raises:
        UsageError: the folder holds something else, or can't be written.
    """
    path = Path(path)
    if path.suffix == WEIGHTS:
        require_file(path)
        save_weights(path, session.model, history.params, {"spec": session.spec.name})
        return
    folder = RunFolder(path)
    folder.create()
    with folder.locked():
        if folder.exists:
            raise UsageError(f"{path} holds a run already; name a new folder")
        begin(session, folder)
        folder.keep_facts(facts)
        _write_metrics(folder / METRICS, history)
        session.save_best(folder / BEST, history, session.options["seed"])


def _write_metrics(path: Path, history: History) -> None:
    """The lines that the run would have written."""
    metrics = Metrics(path)
    try:
        metrics.begin(Task("", lambda epoch, rng: (), 0), Options())
        for record in history.epochs:
            metrics.last += record.steps
            metrics.epoch(record)
        metrics.end(history)
    finally:
        metrics.close()


def opened(path: str | Path, networks: Mapping[str, str], target: str) -> tuple[LoadedRun, str, Network]:
    """A run that an estimator wrote, what it answers for (`each`), and its network.

    Raises:
        UsageError: there is no run, or one of another network.
    """
    run = load_run(path)
    each = next((each for each, name in networks.items() if name == run.spec.name), None)
    sizes = run.session.experiment.compiled_for()
    if each is None or not {"N", "K", "H", "Cell"} <= set(sizes):
        raise UsageError(f"{path} holds a run of {run.spec.name}, which no estimator of this class wrote: rc.load_run")
    cell = spec_of(sizes["Cell"])
    options = run.session.options
    named = tuple((name, int(sizes[name])) for name in ("N", "K", "H"))
    return run, each, Network(networks[each], target, cell, cell.made_of, named, options["backend"], options["dtype"])


def epoch_in(path: Path) -> int:
    """The epoch of the best parameters in a folder; 0 while it has only a checkpoint."""
    best = path / BEST
    return max(0, epoch_of(best)) if best.exists() else 0


def named_classes(classes: Any) -> list[Any]:
    """Labels as JSON holds them.

    Raises:
        UsageError: it can't.
    """
    found: list[Any] = np.asarray(classes).tolist()
    if len({type(label) for label in found}) != 1 or type(found[0]) not in (str, int, float, bool):
        raise UsageError(f"labels are stored if all are texts, numbers or truth values; these are {found[:5]}")
    return found
