"""A run with a folder: started, resumed, or repeated and compared."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurrency.disk.files import write_whole
from recurrency.disk.toml import read_tables
from recurrency.errors import UsageError
from recurrency.graph.fixed import Fixed
from recurrency.language.given_files import is_cell
from recurrency.training.loop.progress import DivergedError, History
from recurrency.training.runs.experiments import REPORTS, Experiment, load
from recurrency.training.runs.folders import BEST, CURVE, HEAD, METRICS, RUN, START, RunFolder
from recurrency.training.runs.metrics import Metrics, Several, draw_losses, read_metrics
from recurrency.training.runs.session import Session
from recurrency.training.runs.summaries import outcome
from recurrency.training.runs.weights import load_weights, save_weights
from recurrency.version import VERSION


def versions(backend: str) -> dict[str, str]:
    """The versions of the software."""
    from importlib.metadata import version

    import numpy as np

    out = {"recurrency": VERSION, "python": platform.python_version(), "numpy": np.__version__}
    if backend == "torch":
        out["torch"] = version("torch")
    return out


def in_folder(session: Session, folder: RunFolder) -> History:
    """Start a run in a folder, or resume the one in it, if it is the same.

    Raises:
        UsageError: the folder holds another run (the message shows the difference), or something else, or another
            process trains in it.
    """
    if not session.processes.first:
        return _trained(session, folder, folder.checkpoint(session.write) if folder.exists else None, None)
    folder.create()
    with folder.locked():
        if folder.exists:
            _same(session, folder)
            snapshot = folder.checkpoint(session.write)
            at = f"epoch {snapshot.epoch}, step {snapshot.step}" if snapshot else "its beginning"
            session.write(f"going on with {folder.path} from {at}")
        else:
            begin(session, folder)
            snapshot = None
        seed = session.options["seed"]
        metrics = Metrics(folder / METRICS, session.options["log-every"], snapshot)
        try:
            history = _trained(session, folder, snapshot, metrics)
        except DivergedError as error:
            session.save_best(folder / BEST, error.history, seed)
            raise
        finally:
            metrics.close()
        session.save_best(folder / BEST, history, seed)
        session.save(history, seed)
        if session.draws:
            _draw(session, folder)
        session.write(outcome(history))
    return history


def _trained(session: Session, folder: RunFolder, snapshot: Any, metrics: Metrics | None) -> History:
    report = session.reporter() if metrics is None else Several(session.reporter(), metrics)
    seed = session.options["seed"]
    save = folder.save if session.processes.first else None
    task = session.task(seed)
    if session.processes.first:
        folder.keep_facts(task.facts)
    return session.learn(seed, task, report, resume=snapshot, save=save)


def begin(session: Session, folder: RunFolder) -> None:
    """Write the spec and the options into a folder.

    Raises:
        UsageError: a file can't be written.
    """
    import tomli_w

    experiment = session.experiment
    sizes = experiment.compiled_for()
    with folder.beginning():
        copy = replace(experiment, spec=folder.write_spec(session.spec, sizes), dimensions=folder.copied(sizes))
        if experiment.weights is not None:
            save_weights(folder / START, session.model, session.initial(session.options["seed"]))
            copy = replace(copy, weights=START)
        tables = {**copy.tables(), "versions": versions(experiment.options()["backend"])}
        write_whole(folder / RUN, HEAD + tomli_w.dumps(tables))


def _same(session: Session, folder: RunFolder) -> None:
    """Refuse to resume with another spec or other options."""
    changed = folder.changed_spec(session.spec, session.experiment.compiled_for())
    if changed:
        raise UsageError(
            f"{folder.path} holds a run of another spec, so it can't go on with this one; "
            f"name a new folder with --run. The difference:\n{changed}"
        )
    before, now = (_flat(experiment) for experiment in (load(folder / RUN), session.experiment))
    if before.get("weights") == START and now.get("weights") and _same_start(session, folder):
        now["weights"] = START
    told = [f"{key}: {before.get(key)} in the run, {now.get(key)} now" for key in {**before, **now}]
    told = [words for key, words in zip({**before, **now}, told, strict=True) if before.get(key) != now.get(key)]
    if told:
        raise UsageError(
            f"{folder.path} holds a run with other options; go on with `recurrency train {folder.path}`, or name a new "
            "folder with --run. The difference:\n" + "\n".join(f"  {words}" for words in told)
        )


def _same_start(session: Session, folder: RunFolder) -> bool:
    """Whether the run started from the parameters that this one is to start from."""
    import numpy as np

    now = session.initial(session.options["seed"])
    return bool(np.array_equal(load_weights(folder / START, session.model), now, equal_nan=True))


def _flat(experiment: Experiment) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in experiment.tables().items():
        out |= {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
    for name, value in experiment.compiled_for().items():
        if isinstance(value, Fixed):
            out[f"dimensions.{name}"] = f"an array, {value}"
        elif is_cell(value):
            out[f"dimensions.{name}"] = Path(value).name  # the texts are compared by `changed_spec`
    for ignored in ("spec", "about", *(f"training.{name}" for name in REPORTS)):
        out.pop(ignored, None)
    return out


def _draw(session: Session, folder: RunFolder) -> None:
    try:
        draw_losses({session.spec.name: read_metrics(folder / METRICS)}, folder / CURVE)
    except UsageError as error:
        session.write(f"{CURVE} is not drawn: {error}")


def repeated(session: Session, folder: RunFolder) -> History:
    """Repeat the finished run of a folder, and report whether the numbers are the same.

    Nothing in the folder is changed.
    """
    session.write(f"{folder.path} is finished: repeating it, without a change to the folder")
    seed = session.options["seed"]
    history = session.learn(seed, session.task(seed), session.reporter())
    session.write(outcome(history))
    lines = [line for line in read_metrics(folder / METRICS) if line.get("event") == "epoch"]
    before = [(line["train"], line["valid"]) for line in lines]
    now = [(epoch.train, epoch.valid) for epoch in history.epochs]
    parted = next((i for i, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), None)
    if before == now:
        session.write("every loss is the same as before, to the last bit")
    else:
        at = min(len(before), len(now)) if parted is None else parted
        session.write(f"the losses are others from epoch {at} on{_why(folder, session)}")
    return history


def _why(folder: RunFolder, session: Session) -> str:
    was = read_tables(folder / RUN).get("versions", {})
    now = versions(session.options["backend"])
    told = [f"{name} {was.get(name)} is now {now.get(name)}" for name in now if was.get(name) != now.get(name)]
    return f"; {', '.join(told)}" if told else ""
