"""The command `recurrency train` after its command line is parsed: from an experiment to runs and a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from recurrency.disk.files import require_file
from recurrency.errors import UsageError
from recurrency.training.loop.loop import History
from recurrency.training.loop.processes import Processes, joined
from recurrency.training.loop.progress import INTERRUPTED
from recurrency.training.runs.arrays import absolute
from recurrency.training.runs.experiments import REPORTS, Experiment, check_option
from recurrency.training.runs.finding import experiment_of
from recurrency.training.runs.folders import RUN, RunFolder
from recurrency.training.runs.reporters import Write
from recurrency.training.runs.running import in_folder, repeated
from recurrency.training.runs.session import Session
from recurrency.training.runs.summaries import spread

WEIGHTS = ".safetensors"
COSINE = "cosine"
"""The schedule that depends on the number of all epochs."""
RUNS = "runs"
"""Where runs are stored that name no folder."""


@dataclass(frozen=True)
class Request:
    """The arguments of the command.

    `target` is the name of an experiment, an experiment file, a run folder, or a spec; `on` the task or the experiment
    whose data a spec is trained on; `options` are those given of training, by the names of `experiments.OPTIONS`;
    `settings`, `schedule` and `task_options` those of the optimiser, the schedule and the task, `init` other
    initialisers by the names of parameters, and `damp` the structural damping of streams (mu by name). With `folder`
    the run is kept there, with a checkpoint every `save_every` seconds.
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
    init: Mapping[str, str] = field(default_factory=dict)
    damp: Mapping[str, float] = field(default_factory=dict)
    draws: bool = True
    """Whether the losses of a run with a folder are drawn."""
    weights: str | None = None
    """The file of the parameters to start from, or the folder of a run."""
    keeps: bool = False
    """Whether a run without folder and output gets a folder."""

    @property
    def epochs(self) -> int | None:
        """The number of epochs, if it is all that is to change."""
        only = set(self.options) - set(REPORTS) == {"epochs"} and not replace(self, options={}).changes
        return int(self.options["epochs"]) if only else None

    @property
    def changes(self) -> bool:
        """Whether any option overrides the experiment."""
        options = self.options.keys() - set(REPORTS)
        tables = (self.dimensions, self.settings, self.schedule, self.task_options, self.init, self.damp)
        return bool(options or self.data or self.weights or any(tables))

    def experiment(self) -> Experiment:
        """The experiment with the options of the user.

        Raises:
            UsageError: there is none such, or an option can't have its value.
        """
        for name, value in self.options.items():
            check_option(name, value)
        found = experiment_of(self.target, self.on).changed(
            self.options,
            dimensions=absolute(self.dimensions),
            optimiser=self.settings,
            schedule=self.schedule,
            task_options=_absolute(self.task_options),
            init=self.init,
            damp=self.damp,
        )
        found = replace(found, data=str(Path(self.data).resolve())) if self.data else found
        return replace(found, weights=str(Path(self.weights).resolve())) if self.weights else found


def run(request: Request, write: Write) -> list[History]:
    """Train once for each seed; write progress and summary with `write`, and the best weights to a file.

    Under `torchrun`, all processes train together: each takes its share of batches that are larger by their number,
    and only the first of them reports and writes.

    Raises:
        UsageError: an argument does not exist or does not fit.
        SpecError: the `.rnn` file is malformed.
        DivergedError: a run ended in numbers that are not finite.
        LostError: another process has ended.
    """
    with joined() as processes:
        return _run(request, write if processes.first else _to_nobody, processes)


def _absolute(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a task with the absolute path of the file of labels."""
    labels = options.get("labels")
    return {**options, **({"labels": str(Path(labels).resolve())} if isinstance(labels, str) and labels else {})}


def _require_weights(path: Path) -> None:
    """Check, before training, that weights can be written to a file.

    Raises:
        UsageError: its name ends like that of another format, or it can't be created.
    """
    if path.suffix not in ("", WEIGHTS):
        raise UsageError(f"weights are written as {WEIGHTS}: name the file {path.with_suffix(WEIGHTS)}")
    require_file(path)


def _to_nobody(words: str) -> None:
    """The output of the other processes."""


def _run(request: Request, write: Write, processes: Processes) -> list[History]:
    folder = _folder(request)
    extended = folder is not None and request.folder is None and request.epochs is not None
    if folder is not None and extended and processes.first:
        folder.extend(request.options["epochs"])
        if request.experiment().options()["schedule"] == COSINE:
            write("the cosine of the rate now ends with the last of the new epochs; the epochs so far had another end")
    if request.output is not None:
        _require_weights(Path(request.output))
    session = Session.of(request.experiment(), write, processes, request.output)
    session.draws = request.draws
    _check(session, request)
    if folder is None and request.keeps and request.output is None and request.runs == processes.size == 1:
        folder = default_folder(session.experiment.name, request.save_every)
        write(f"the run is stored in {folder.path}; --run FOLDER names another folder, --no-run none")
        session.draws = False
    if folder is not None:
        if request.runs > 1:
            raise UsageError("a run folder holds one run: leave --runs or --run out")
        finished = request.folder is None and folder.finished and not extended
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


def _check(session: Session, request: Request) -> None:
    """Refuse a spec without a loss, and data that do not fit, before a folder is made."""
    if not session.model.has_loss:
        raise UsageError(
            f"{session.spec.name} has no `loss` line, so there is nothing to train it by; train a network of it, such "
            f"as `recurrency train FrameRegressor -D Cell={request.target} --data FILE`"
        )
    session.task(session.options["seed"])


def _folder(request: Request) -> RunFolder | None:
    """The folder of the run, if any."""
    target = Path(request.target)
    if request.folder is not None:
        return RunFolder(Path(request.folder), request.save_every)
    if not (target / RUN).is_file():
        return None
    if request.changes and request.epochs is None:
        raise UsageError(
            f"{target} goes on as it began, or with more --epochs; to train otherwise, name a new folder with --run"
        )
    return RunFolder(target, request.save_every)


def default_folder(name: str, save_every: float) -> RunFolder:
    """A new folder for a run of this name: `runs/NAME`, `runs/NAME-2`, ..."""
    paths = (Path(RUNS) / (f"{name}-{number}" if number > 1 else name) for number in count(1))
    return RunFolder(next(path for path in paths if not path.exists()), save_every)
