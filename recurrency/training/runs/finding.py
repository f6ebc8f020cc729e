"""The target of `recurrency train`: an experiment, its file, a run folder, or a spec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recurrency.errors import UsageError, nearest_hint
from recurrency.language.sources import library_index
from recurrency.training.runs.experiments import Experiment, load, named, shipped
from recurrency.training.runs.folders import RUN
from recurrency.training.tasks import TASKS


def experiment_of(target: str, on: str | None = None) -> Experiment:
    """The experiment of a target; a spec is trained on the data of the task or experiment `on`.

    Raises:
        UsageError: there is none such (with the nearest name), or its file is malformed.
    """
    path = Path(target)
    if (path / RUN).is_file():
        return load(path / RUN)
    if path.is_dir():
        raise UsageError(f"{target} is a folder without a run (no {RUN} in it)")
    if path.suffix == ".toml":
        return load(path)
    if target in shipped() and on is None:
        return named(target)
    if ".rnn" in target or path.exists() or target in library_index():
        base = _task(on) if on is not None else Experiment(path.stem, "")
        return replace(base, name=path.stem, spec=target, dimensions={}, folder=None)
    known = [*shipped(), *library_index()]
    hint = nearest_hint(target, known)
    raise UsageError(f"there is no experiment, cell or file {target}; the experiments are {', '.join(shipped())}{hint}")


def _task(name: str) -> Experiment:
    """The experiment whose data are used."""
    path = Path(name)
    if path.suffix == ".toml":
        return load(path)
    if name in shipped():
        return named(name)
    if name in TASKS:
        return Experiment(name, "", task=name)
    known = list(dict.fromkeys([*shipped(), *TASKS]))
    hint = nearest_hint(name, known)
    raise UsageError(f"there is no task {name}; the tasks are {', '.join(known)}{hint}")
