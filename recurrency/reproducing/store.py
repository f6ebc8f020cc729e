"""Where the runs of studies are stored.

FOLDER/runs/STUDY/NAME/         the run folder of `recurrency train`, and values.json
FOLDER/runs/STUDY/NAME.toml     its experiment
FOLDER/runs/STUDY/NAME.log      what it printed
FOLDER/runs/STUDY/NAME.json     its record

NAME ends in a digest of the recipe, so a changed recipe is another run. What is kept (`--keep`) has the same layout,
without weights and logs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recurrency.disk.files import require_folder, write_whole
from recurrency.disk.locks import locked
from recurrency.errors import UsageError
from recurrency.reproducing.plan import Job, Wanted, own_file
from recurrency.reproducing.readings import Reading, Run
from recurrency.reproducing.records import Record, read, read_values
from recurrency.reproducing.values import VALUES
from recurrency.training.runs.experiments import load
from recurrency.training.runs.folders import RUN

VALUES_FILE = "values.json"


@dataclass(frozen=True)
class Place:
    """The files of one job."""

    folder: Path

    @property
    def experiment(self) -> Path:
        """The experiment, for `recurrency train`."""
        return self.folder.with_name(f"{self.folder.name}.toml")

    @property
    def log(self) -> Path:
        """What the job printed."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def record(self) -> Path:
        """How it ended."""
        return self.folder.with_name(f"{self.folder.name}.json")

    @property
    def values(self) -> Path:
        """Values that need the model."""
        return self.folder / VALUES_FILE

    @cached_property
    def run(self) -> Run:
        """The metrics, as they are when first asked for."""
        return Run.at(self.folder)

    def reading(self, wanted: Wanted) -> Reading | None:
        """A value of the run, if it has one."""
        value = VALUES[wanted.value]
        if value.quick:
            return value.read(self.run, **wanted.options)
        return read_values(self.values).get(wanted.key)


class Store:
    """A folder with runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and keep other commands from running studies in it.

        Raises:
            UsageError: another one does, or the folder can't be made.
        """
        require_folder(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.path} can't be written to: {error.strerror or error}") from error
        with locked(self.path, "runs studies"):
            yield

    def place(self, study: str, name: str, key: str) -> Place:
        """Where a job is stored; a run with the same recipe may have another name."""
        parent = self.path / "runs" / study
        known = (
            sorted(path for path in parent.glob(f"*-{key}*") if path.stem.endswith(f"-{key}"))
            if parent.is_dir()
            else []
        )
        return Place(parent / (known[0].stem if known else name))

    def of(self, job: Job) -> Place:
        """Where a job is stored."""
        return self.place(job.study, job.name, job.key)

    def record(self, job: Job) -> Record | None:
        """How a job ended, if it has run."""
        found = read(self.of(job).record)
        return found if found is not None and found.key == job.key else None

    def prepare(self, job: Job) -> Place:
        """Write the experiment of a job.

        Raises:
            UsageError: it can't be written, or the folder holds a run with other options.
        """
        import tomli_w

        place = self.of(job)
        try:
            place.folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{place.folder.parent} can't be made: {error.strerror or error}") from error
        experiment = own_file(job)
        if (place.folder / RUN).is_file():
            _refuse_other(place, experiment.options())
        write_whole(place.experiment, tomli_w.dumps(experiment.tables()))
        return place


def _refuse_other(place: Place, options: dict[str, object]) -> None:
    """Refuse a run whose options differ, as after a change of a default."""
    before = load(place.folder / RUN).options()
    told = [f"{key}: {before[key]} there, {options[key]} now" for key in options if before[key] != options[key]]
    if told:
        raise UsageError(
            f"{place.folder} holds a run with other options ({'; '.join(told)}); move it away, or use another --out"
        )
