"""What `recurrency train` does once its command line is read: recipe and options to runs, runs to a summary."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError
from recurrency.training.data import read_user
from recurrency.training.loop import INTERRUPTED, DivergedError, History, Options, train
from recurrency.training.optimisers import optimiser
from recurrency.training.processes import Processes, joined
from recurrency.training.reporters import REPORTERS, Write
from recurrency.training.sharing import Shared
from recurrency.training.tasks import RECIPES, Recipe, Settings, Task, from_sequences
from recurrency.training.weights import save_weights

DEFAULTS: Mapping[str, Any] = {
    "optimiser": "adam",
    "rate": None,
    "epochs": 50,
    "batch": 16,
    "clip": None,
    "clip_value": None,
    "patience": 10,
    "shrink": 1.0,
    "length": 30,
    "chunk": None,
    "dtype": "float32",
    "backend": "numpy",
    "log_form": "bar",
    "seed": 0,
}
"""Every option of a run, with the value it has where neither the recipe nor the user says anything else."""


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    `target` is the name of a task or the path of a `.rnn` file; `on` the task whose data such a file is trained on;
    `options` are those given out of `DEFAULTS`; `settings` belong to the optimiser, such as `momentum`.
    """

    target: str
    on: str | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    data: str | None = None
    output: str | None = None
    runs: int = 1

    def recipe(self) -> Recipe | None:
        """The row of the table of tasks, or None for a user's own file with a user's own data."""
        name = self.on or self.target
        if name in RECIPES:
            return RECIPES[name]
        if self.on is None and (".rnn" in name or Path(name).exists()):
            return None
        raise UsageError(f"there is no task or file {name}; the tasks are {', '.join(RECIPES)}")

    def merged(self) -> dict[str, Any]:
        """All options: the user's over the recipe's over the defaults; another optimiser brings its own rate."""
        recipe = self.recipe()
        defaults = dict(recipe.defaults) if recipe else {}
        if self.options.get("optimiser", defaults.get("optimiser")) != defaults.get("optimiser"):
            defaults.pop("rate", None)
        return {**DEFAULTS, **defaults, **self.options}


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
    options = request.merged()
    if not processes.first:
        options["log_form"] = "quiet"
    spec, model = _model(request, options)
    session = _Session(request, options, spec.name, model, write, processes)
    for seed in range(options["seed"], options["seed"] + request.runs):
        if request.runs > 1:
            write(f"seed {seed}")
        if session.train(seed).stopped == INTERRUPTED:
            break
    recipe = request.recipe()
    for words in spread(session.histories, recipe.solved if recipe else None):
        write(words)
    return session.histories


@dataclass
class _Session:
    """The runs of one request, seed after seed."""

    request: Request
    options: Mapping[str, Any]
    name: str
    model: Any
    write: Write
    processes: Processes
    histories: list[History] = field(default_factory=list)

    def train(self, seed: int) -> History:
        """One run; its best parameters are written also where it ends in NaN."""
        o = self.options
        steps = _optimiser(o, self.request.settings)
        how = Options(steps, o["epochs"], o["clip"], o["clip_value"], o["patience"], o["shrink"], seed)
        report = REPORTERS[_form(o)](self.name, self.write)
        count = self.processes.size
        task = _task(self.request, self.model, {**o, "batch": o["batch"] * count, "seed": seed})
        try:
            history = train(Shared(self.model, self.processes) if count > 1 else self.model, task, how, report)
        except DivergedError as error:
            self.save(error.history, seed)
            raise
        self.write(outcome(history))
        self.save(history, seed)
        self.histories.append(history)
        return history

    def save(self, history: History, seed: int) -> None:
        """Writes the weights, if asked, unless an earlier seed gave better ones or another process writes them."""
        path, epoch = self.request.output, history.best_epoch
        better = any(_score(other) <= _score(history) for other in self.histories)
        if path is None or epoch < 0 or better or not self.processes.first:
            return
        dimensions = json.dumps(dict(self.request.dimensions))
        about = {"spec": self.name, "dimensions": dimensions, "seed": str(seed), "epoch": str(epoch)}
        save_weights(path, self.model, history.params, about)
        self.write(f"weights of epoch {epoch} written to {path}")


def _model(request: Request, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """The spec and its compiled model."""
    import recurrency as rc

    recipe = request.recipe()
    shipped = recipe is not None and request.on is None
    spec = rc.library.spec(recipe.cell) if recipe is not None and shipped else rc.load(request.target)
    dimensions = {**(recipe.dimensions if recipe is not None and shipped else {}), **request.dimensions}
    return spec, spec.compile(backend=options["backend"], dtype=options["dtype"], **dimensions)


def _form(options: Mapping[str, Any]) -> str:
    """A bar needs a terminal; elsewhere lines are told instead."""
    form: str = options["log_form"]
    return "lines" if form == "bar" and not sys.stderr.isatty() else form


def _optimiser(options: Mapping[str, Any], settings: Mapping[str, float]) -> Any:
    rate = {} if options["rate"] is None else {"rate": options["rate"]}
    return optimiser(options["optimiser"], **{**rate, **settings})


def _task(request: Request, model: Any, options: Mapping[str, Any]) -> Task:
    """The task of the recipe, or one made from the user's file."""
    sizes = Settings(
        request.data, options["batch"], options["length"], options["chunk"], options["dtype"], options["seed"]
    )
    recipe = request.recipe()
    if recipe is not None:
        return recipe.build(sizes)
    if request.data is None:
        arrays = ", ".join(
            f"{k} [{', '.join(['sequences', 'steps', *map(str, p.shape)])}]" for k, p in model.inputs.items()
        )
        raise UsageError(f"say where the data are with --data FILE.npz, which holds {arrays} and, if need be, lengths")
    return from_sequences(Path(request.data).stem, read_user(request.data, model.inputs), sizes)


def _score(history: History) -> float:
    """What the seeds are ranked by: the best validation loss, else the last training loss."""
    if history.best_valid is not None:
        return history.best_valid
    return history.epochs[-1].train if history.epochs else float("inf")


# ------------------------------------------------------------------------------------------------------------ summary


def outcome(history: History) -> str:
    """One run in one line."""
    last = history.epochs[-1] if history.epochs else None
    words = [f"test {history.test:.4f}"] if history.test is not None else []
    if history.best_valid is not None:
        words.append(f"valid {history.best_valid:.4f} at epoch {history.best_epoch} of {len(history.epochs)}")
    elif last is not None:
        words.append(f"train {last.train:.4f} in epoch {last.number}")
    return f"{', '.join(words)} ({history.stopped}; {history.seconds:.1f} s)"


def spread(histories: list[History], solved: float | None = None) -> list[str]:
    """How several seeds differ: smallest, median and largest value of what each run is judged by."""
    done = [history for history in histories if history.epochs]
    if len(done) < 2:
        return []
    if all(history.test is not None for history in done):
        return [f"over {len(done)} seeds: test {_range([h.test for h in done if h.test is not None], 4)}"]
    lasts = [history.epochs[-1].total for history in done]
    out = [
        f"over {len(done)} seeds: epoch 0 {_range([h.epochs[0].total for h in done], 1)}",
        f"over {len(done)} seeds: last epoch {_range(lasts, 1)}",
    ]
    if solved is not None:
        out.append(f"{sum(last < solved for last in lasts)} of {len(done)} seeds ended below {solved:g}")
    return out


def _range(values: list[float], digits: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"min {low:.{digits}f}, median {middle:.{digits}f}, max {high:.{digits}f}"
