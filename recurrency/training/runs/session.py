"""The runs of one experiment: its compiled model, its task, its options, and where its weights go."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurrency.errors import ShapeError, UsageError, nearest_hint
from recurrency.model.initial import initialised, redrawn
from recurrency.model.spec import Spec
from recurrency.training.loop.loop import DivergedError, History, Options, Reporter, train
from recurrency.training.loop.optimisers import optimiser
from recurrency.training.loop.processes import Processes
from recurrency.training.loop.schedules import schedule
from recurrency.training.loop.sharing import Shared
from recurrency.training.runs.experiments import KEPT, Experiment, load
from recurrency.training.runs.fitting import fitted
from recurrency.training.runs.reporters import REPORTERS, Write
from recurrency.training.runs.sizes import found_dimensions
from recurrency.training.runs.summaries import outcome, score
from recurrency.training.runs.weights import load_weights, save_weights
from recurrency.training.tasks import TASKS
from recurrency.training.tasks.own import own_task
from recurrency.training.tasks.task import Settings, Task, truncated


@dataclass
class Session:
    """An experiment that is being trained: one run for each seed."""

    experiment: Experiment
    spec: Any
    model: Any
    write: Write
    processes: Processes
    output: str | None = None
    histories: list[History] = field(default_factory=list)
    draws: bool = True
    """Whether the losses of a run with a folder are drawn."""
    _tasks: dict[int, Task] = field(default_factory=dict)

    @classmethod
    def of(cls, experiment: Experiment, write: Write, processes: Processes, output: str | None = None) -> Session:
        """Load and compile the spec of an experiment, and check what it says of initial values.

        Dimensions that only the data know are taken from them.

        Raises:
            UsageError: there is no such spec, the data can't be read where a dimension is missing, or an initialiser
                fits no parameter. SpecError: the spec is malformed.
        """
        experiment = _sized(experiment, write)
        spec, model = _model(experiment)
        redrawn(model, experiment.init)
        return cls(experiment, spec, model, write, processes, output)

    @classmethod
    def opened(cls, folder: Path, backend: str | None = None, write: Write = lambda words: None) -> Session:
        """The session of the run in a folder, for its model and its task; on another `backend`, if one is named."""
        experiment = load(folder / f"{KEPT}.toml").changed({"backend": backend} if backend else {})
        return cls.of(experiment, write, Processes())

    @property
    def options(self) -> dict[str, Any]:
        """Every training option, by name."""
        return self.experiment.options()

    def how(self, seed: int) -> Options:
        """The options of the training loop for one seed."""
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
            halve_above=o["halve-above"],
            seed=seed,
            weight_noise=o["weight-noise"],
            l1=o["l1"],
            l2=o["l2"],
            accumulate=o["accumulate"],
            damp=self.experiment.damp,
            until_solved=o["until-solved"],
        )

    def reporter(self) -> Reporter:
        """The reporter that was asked for; without a terminal it prints lines instead of a progress bar."""
        form = self.options["log-form"]
        if not self.processes.first:
            form = "quiet"
        elif form == "bar" and not sys.stderr.isatty():
            form = "lines"
        return REPORTERS[form](self.spec.name, self.write)

    def task(self, seed: int) -> Task:
        """The task with batches for all processes together, in pieces if `truncate` is given; it is made once.

        Raises:
            UsageError: the data can't be read, or don't fit.
        """
        if seed not in self._tasks:
            task, steps = self._whole(seed), self.options["truncate"]
            self._tasks = {seed: task if steps is None else truncated(task, steps)}
        return self._tasks[seed]

    def _whole(self, seed: int) -> Task:
        e = self.experiment
        sizes = _settings(e, seed, self.processes.size)
        if e.task is not None:
            return fitted(task_of(e, sizes), self.model)
        if e.data is None:
            raise UsageError(_needed(self.model))
        if "length" in e.training:
            raise UsageError("the option length has no effect on data of your own; leave it out")
        return own_task(sizes, self.model, **e.task_options)

    def initial(self, seed: int) -> Any:
        """Initial values of all parameters, [size]: those of the spec, of `init`, or of the file `weights`.

        Raises:
            UsageError: the file can't be read, or has parameters of another model.
        """
        file = self.experiment.weights_file()
        if file is None:
            return initialised(self.model, seed, self.experiment.init)
        try:
            return load_weights(file, self.model)
        except ShapeError as error:
            raise UsageError(f"{file} has the parameters of another model: {error}") from error

    def trainable(self) -> Any:
        """The model; with several processes, one that shares each batch among them."""
        if self.processes.size == 1:
            return self.model
        return Shared(self.model, self.processes, self.options["parallel"] == "asynchronous")

    def learn(self, seed: int, task: Task, report: Reporter, **more: Any) -> History:
        """Train with one seed; `more` are arguments of `train`."""
        for words in task.told if not self.histories else ():
            self.write(words)
        return train(self.trainable(), task, self.how(seed), report, self.initial(seed), **more)

    def train(self, seed: int) -> History:
        """Train once, without a run folder. The best parameters are written even if the run diverges."""
        try:
            history = self.learn(seed, self.task(seed), self.reporter())
        except DivergedError as error:
            self.save(error.history, seed)
            raise
        self.write(outcome(history))
        self.save(history, seed)
        self.histories.append(history)
        return history

    def save(self, history: History, seed: int) -> None:
        """Write the best weights to `output`, unless an earlier seed was better or another process writes them."""
        better = any(score(other) <= score(history) for other in self.histories)
        if self.output is None or history.best_epoch < 0 or better or not self.processes.first:
            return
        self.save_best(self.output, history, seed)
        self.write(f"weights of epoch {history.best_epoch} written to {self.output}")

    def save_best(self, path: str | Path, history: History, seed: int) -> None:
        """Write the best weights, with the spec, dimensions, seed and epoch that they belong to."""
        dimensions = json.dumps({name: _said(value) for name, value in self.experiment.dimensions.items()})
        about = {"spec": self.spec.name, "dimensions": dimensions, "seed": str(seed), "epoch": str(history.best_epoch)}
        save_weights(path, self.model, history.params, about)


def _said(value: Any) -> Any:
    """The value of a dimension as JSON can hold it: a spec by its name."""
    return value.name if isinstance(value, Spec) else value


def _settings(experiment: Experiment, seed: int = 0, processes: int = 1) -> Settings:
    """What the task of an experiment is built from."""
    o = experiment.options()
    length = o["length"] or Settings.length
    return Settings(experiment.data, o["batch"] * processes, length, o["chunk"], o["dtype"], seed)


def _sized(experiment: Experiment, write: Write) -> Experiment:
    """An experiment with the dimensions that only its data know."""
    found = found_dimensions(experiment, _spec(experiment), lambda: task_of(experiment, _settings(experiment)))
    if found:
        write(f"from the data: {', '.join(f'{name}={size}' for name, size in found.items())}")
    return experiment.changed({}, dimensions=found)


def _model(experiment: Experiment) -> tuple[Any, Any]:
    """The spec and its compiled model."""
    spec, options = _spec(experiment), experiment.options()
    how = {name: options[name] for name in ("backend", "dtype", "checkpoint")}
    return spec, spec.compile(**how, dimensions=experiment.compiled_for())


def _spec(experiment: Experiment) -> Any:
    """The spec of an experiment."""
    from recurrency.model.shipped import spec as shipped
    from recurrency.model.spec import load

    file, _, cell = experiment.spec.partition(".rnn:")
    if cell or ".rnn" in file or "/" in file:
        file = f"{file}.rnn" if cell else file
        return load(experiment.path(file), cell or None)
    return shipped(experiment.spec)


def task_of(experiment: Experiment, sizes: Settings) -> Task:
    """The task of an experiment. A training option that the task also has is passed to the task.

    Raises:
        UsageError: there is no such task or option of it (with the nearest name), or its data are missing.
    """
    name = experiment.task or ""
    if name not in TASKS:
        hint = nearest_hint(name, list(TASKS))
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
