"""What `recurrency train` does once its command line is read: an experiment to runs, runs to a summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError, nearest
from recurrency.training.runs.experiments import REPORTS, Experiment, check_option
from recurrency.training.runs.finding import experiment_of
from recurrency.training.runs.fitting import fitted
from recurrency.training.runs.folders import RUN, RunFolder
from recurrency.training.loop.loop import DivergedError, History, Options, Reporter, train
from recurrency.training.loop.optimisers import optimiser
from recurrency.training.tasks.own import own_task
from recurrency.training.loop.processes import Processes, joined
from recurrency.training.loop.progress import INTERRUPTED
from recurrency.training.runs.reporters import REPORTERS, Write
from recurrency.training.runs.running import in_folder, repeated
from recurrency.training.loop.schedules import schedule
from recurrency.training.loop.sharing import Shared
from recurrency.training.runs.summaries import outcome, score, spread
from recurrency.training.tasks.task import Settings, Task
from recurrency.training.tasks import TASKS
from recurrency.training.runs.weights import save_weights


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    `target` is the name of an experiment, an experiment file, a run folder, or a spec; `on` the task or the experiment
    whose data a spec is trained on; `options` are those given of training, by the names of `experiments.OPTIONS`;
    `settings`, `schedule` and `task_options` those of the optimiser, the schedule and the task. With `folder` the run
    is kept there, with a checkpoint every `save_every` seconds.
    """

    target: str
    on: str | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    data: str | None = None
    output: str | None = None
    runs: int = 1
    schedule: Mapping[str, float] = field(default_factory=dict)
    task_options: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None
    save_every: float = 30.0

    @property
    def changes(self) -> bool:
        """Whether anything of the experiment is to be other than it says."""
        options = self.options.keys() - set(REPORTS)
        return bool(self.dimensions or options or self.settings or self.schedule or self.task_options or self.data)

    def experiment(self) -> Experiment:
        """The experiment with all that the user wants otherwise.

        Raises:
            UsageError: there is none such, or an option can't have its value.
        """
        for name, value in self.options.items():
            check_option(name, value)
        found = experiment_of(self.target, self.on).changed(
            self.options,
            dimensions=self.dimensions,
            optimiser=self.settings,
            schedule=self.schedule,
            task_options=self.task_options,
        )
        return replace(found, data=str(Path(self.data).resolve())) if self.data else found


def run(request: Request, write: Write) -> list[History]:
    """Trains as asked, once for each seed; writes progress and summary through `write` and the best weights to a file.

    Started by `torchrun`, all processes train together: each takes its share of batches that are as many times larger,
    and only the first of them reports and writes.

    Raises:
        UsageError: something asked for does not exist or does not fit.
        SpecError: the `.rnn` file is malformed.
        DivergedError: a run ended in numbers that are not finite.
        LostError: another process has ended.
    """
    with joined() as processes:
        return _run(request, write if processes.first else _to_nobody, processes)


def _to_nobody(words: str) -> None:
    """Where the other processes report to."""


def _run(request: Request, write: Write, processes: Processes) -> list[History]:
    folder = _folder(request)
    session = Session.of(request.experiment(), write, processes, request.output)
    if folder is not None:
        if request.runs > 1:
            raise UsageError("a run folder holds one run: leave --runs or --run out")
        finished = request.folder is None and folder.finished
        session.histories = [repeated(session, folder) if finished else in_folder(session, folder)]
        return session.histories
    seed = session.options["seed"]
    for number in range(seed, seed + request.runs):
        if request.runs > 1:
            write(f"seed {number}")
        if session.train(number).stopped == INTERRUPTED:
            break
    usual = "steps" not in session.experiment.task_options  # the mark is one for an epoch of the usual length
    for words in spread(session.histories, session.experiment.solved if usual else None):
        write(words)
    return session.histories


def _folder(request: Request) -> RunFolder | None:
    """Where the run is kept, if anywhere."""
    target = Path(request.target)
    if request.folder is not None:
        return RunFolder(Path(request.folder), request.save_every)
    if not (target / RUN).is_file():
        return None
    if request.changes:
        raise UsageError(f"{target} goes on as it began; to train otherwise, name a new folder with --run")
    return RunFolder(target, request.save_every)


@dataclass
class Session:
    """The runs of one experiment, seed after seed."""

    experiment: Experiment
    spec: Any
    model: Any
    write: Write
    processes: Processes
    output: str | None = None
    histories: list[History] = field(default_factory=list)

    @classmethod
    def of(cls, experiment: Experiment, write: Write, processes: Processes, output: str | None = None) -> Session:
        """A session whose spec is loaded and compiled."""
        spec, model = _model(experiment)
        return cls(experiment, spec, model, write, processes, output)

    @property
    def options(self) -> dict[str, Any]:
        """Every option of training."""
        return self.experiment.options()

    def how(self, seed: int) -> Options:
        """The options as the loop takes them."""
        o = self.options
        rate = {} if o["rate"] is None else {"rate": o["rate"]}
        return Options(
            optimiser=optimiser(o["optimiser"], **{**rate, **self.experiment.optimiser}),
            schedule=schedule(o["schedule"], **self.experiment.schedule),
            epochs=o["epochs"],
            clip=o["clip"],
            clip_value=o["clip-value"],
            patience=o["patience"],
            shrink=o["shrink"],
            seed=seed,
            weight_noise=o["weight-noise"],
            l1=o["l1"],
            l2=o["l2"],
            accumulate=o["accumulate"],
        )

    def reporter(self) -> Reporter:
        """Who tells the user; a bar needs a terminal, elsewhere lines are told instead."""
        form = self.options["log-form"]
        if not self.processes.first:
            form = "quiet"
        elif form == "bar" and not sys.stderr.isatty():
            form = "lines"
        return REPORTERS[form](self.spec.name, self.write)

    def task(self, seed: int) -> Task:
        """Where the batches come from: as large as those of all processes."""
        o, e = self.options, self.experiment
        sizes = Settings(
            e.data, o["batch"] * self.processes.size, o["length"] or Settings.length, o["chunk"], o["dtype"], seed
        )
        if e.task is not None:
            return fitted(task_of(e, sizes), self.model)
        if e.data is None:
            raise UsageError(_needed(self.model))
        if "length" in e.training:
            raise UsageError("the option length has no effect on data of your own; leave it out")
        return own_task(sizes, self.model, **e.task_options)

    def trainable(self) -> Any:
        """The model, shared where there are several processes."""
        return Shared(self.model, self.processes) if self.processes.size > 1 else self.model

    def train(self, seed: int) -> History:
        """One run that is not kept; its best parameters are written also where it ends in NaN."""
        try:
            history = train(self.trainable(), self.task(seed), self.how(seed), self.reporter())
        except DivergedError as error:
            self.save(error.history, seed)
            raise
        self.write(outcome(history))
        self.save(history, seed)
        self.histories.append(history)
        return history

    def save(self, history: History, seed: int) -> None:
        """Writes the weights, if asked, unless an earlier seed gave better ones or another process writes them."""
        better = any(score(other) <= score(history) for other in self.histories)
        if self.output is None or history.best_epoch < 0 or better or not self.processes.first:
            return
        self.save_best(self.output, history, seed)
        self.write(f"weights of epoch {history.best_epoch} written to {self.output}")

    def save_best(self, path: str | Path, history: History, seed: int) -> None:
        """Writes the best weights, with what they belong to."""
        dimensions = json.dumps(dict(self.experiment.dimensions))
        about = {"spec": self.spec.name, "dimensions": dimensions, "seed": str(seed), "epoch": str(history.best_epoch)}
        save_weights(path, self.model, history.params, about)


def _model(experiment: Experiment) -> tuple[Any, Any]:
    """The spec and its compiled model."""
    import recurrency as rc

    options = experiment.options()
    file, _, cell = experiment.spec.partition(".rnn:")
    if cell or ".rnn" in file or "/" in file:
        file = f"{file}.rnn" if cell else file
        spec = rc.load(experiment.path(file), cell or None)
    else:
        spec = rc.library.spec(experiment.spec)
    how = {name: options[name] for name in ("backend", "dtype", "checkpoint")}
    return spec, spec.compile(**how, dimensions=experiment.dimensions)


def task_of(experiment: Experiment, sizes: Settings) -> Task:
    """The task of an experiment; options of training that the task has as its own go to it.

    Raises:
        UsageError: there is no such task or option of it (with the nearest name), or its data are missing.
    """
    name = experiment.task or ""
    if name not in TASKS:
        near = nearest(name, list(TASKS))
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"there is no task {name}; there are {', '.join(TASKS)}{hint}")
    own = {option.name for option in TASKS[name].options}
    for key in ("length", "chunk"):
        if key in experiment.training and key not in own:
            has = f"its options are {', '.join(sorted(own))}" if own else "it has none"
            raise UsageError(f"the option {key} has no effect on the task {name}: leave --{key} out; {has}")
    shared = {key: value for key, value in experiment.training.items() if key in own}
    return TASKS[name].build(sizes, **{**shared, **experiment.task_options})


def _needed(model: Any) -> str:
    arrays = ", ".join(
        f"{k} [{', '.join(['sequences', 'steps', *map(str, p.shape)])}]" for k, p in model.inputs.items()
    )
    return f"say where the data are with --data FILE.npz, which holds {arrays} and, if need be, lengths"
