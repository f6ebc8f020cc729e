"""From studies to jobs: each is one run of training, with one seed and one rate."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from recurrency.backend import automatic
from recurrency.errors import UsageError
from recurrency.reproducing.studies import HEADS, Row, Scaled, Study, Table
from recurrency.training.runs.experiments import OPTIONS, REPORTS, VALUES, Experiment

USUAL = "c"
"""The backend that stands for the automatic one in names of runs."""
MINUTES = 1.0
"""The expected minutes of a run that names none."""


class Wanted(NamedTuple):
    """A value with its options, as a table wants it of a run."""

    value: str
    options: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its name in the files of a run: `bleu(beam=12)`."""
        inside = ", ".join(f"{name}={value}" for name, value in sorted(self.options.items()))
        return f"{self.value}({inside})" if inside else self.value


@dataclass(frozen=True)
class Job:
    """One run of training: its experiment, the expected minutes, and the values that are read from it.

    `limit` is the number of minutes after which it is stopped; `processes` train together.
    """

    study: str
    name: str
    key: str
    experiment: Experiment
    seed: int
    rate: float | None
    processes: int
    minutes: float
    limit: float | None
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Case:
    """A row of a table at one scale: its jobs are one for each seed and each rate."""

    study: Study
    table: Table
    row: Row
    scale: str

    @cached_property
    def sizes(self) -> tuple[Scaled, ...]:
        """The layers that apply, the lowest first."""
        t, r = self.table, self.row
        found = (
            self.study.scales.get(self.scale),
            t.usual,
            t.scaled.get(self.scale),
            r.usual,
            r.scaled.get(self.scale),
        )
        return tuple(size for size in found if size is not None)

    def _last(self, name: str, default: Any) -> Any:
        return next((getattr(size, name) for size in reversed(self.sizes) if getattr(size, name)), default)

    @property
    def skipped(self) -> bool:
        """Whether the row, or its table, is left out at this scale."""
        return self.scale not in self.study.scales or any(size.skip for size in self.sizes)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order in which they run."""
        found: tuple[int, ...] = self._last("seeds", ())
        return found

    @property
    def rates(self) -> tuple[float | None, ...]:
        """The rates that are compared with the first seed; (None,) for that of the experiment alone."""
        found: tuple[float, ...] = self._last("rates", ())
        return found or (None,)

    @property
    def minutes(self) -> float:
        """The expected time of one job."""
        return float(self._last("minutes", MINUTES))

    @property
    def wanted(self) -> Wanted:
        """The value that the table shows."""
        return Wanted(self.table.value.name, self.row.options)

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment of the row, without a seed.

        Raises:
            UsageError: no spec is named, or an option can't have its value.
        """
        where = f"{self.study.name}, table {self.table.name}, run {self.row.name}"
        found = self._layered
        if not found.spec:
            raise UsageError(f'{where}: there is no spec; say which cell is trained: spec = "Music"')
        if found.task is None and found.data is None:
            raise UsageError(f"{where}: there is no task and no data")
        chosen = found.training.get("backend") or automatic()[0]  # once, as it looks for compilers
        return replace(found, about=f"{where} ({self.study.paper})").changed({"backend": chosen, "log-form": "lines"})

    @cached_property
    def _layered(self) -> Experiment:
        """What the layers say. It has a backend only where one of them names it."""
        found = Experiment(self.study.name, "", folder=self.study.folder)
        for layer in (self.study.base, *(size.layer for size in self.sizes)):
            found = layer.on(found)
        return found

    @cached_property
    def _jobs(self) -> dict[tuple[int, float | None], Job]:
        return {}

    def job(self, seed: int, rate: float | None) -> Job:
        """One of the jobs."""
        if (seed, rate) not in self._jobs:
            self._jobs[seed, rate] = self._job(seed, rate)
        return self._jobs[seed, rate]

    def _anywhere(self, experiment: Experiment) -> Experiment:
        """The experiment as its name describes it: one that names no backend has the same name on every machine."""
        return experiment if "backend" in self._layered.training else experiment.changed({"backend": USUAL})

    def _job(self, seed: int, rate: float | None) -> Job:
        options: dict[str, Any] = {"seed": seed} if rate is None else {"seed": seed, "rate": rate}
        experiment = self.experiment.changed(options)
        processes = int(self._last("processes", 1))
        key = digest(self._anywhere(experiment), processes)
        words = [self.table.name, self.row.name, *([] if rate is None else [f"rate {rate:g}"]), f"s{seed}", key]
        limit, name = self._last("limit", None), "-".join(filter(None, map(_slug, words)))
        return Job(self.study.name, name, key, experiment, seed, rate, processes, self.minutes, limit, (self.wanted,))


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-.")[:40]


def digest(experiment: Experiment, processes: int) -> str:
    """A name for the recipe of a run: all that determines its numbers, apart from the text of the spec.

    Options with their default values don't count, so that a new option changes no name.
    """
    tables = {name: getattr(experiment, name) for name in HEADS}
    for part in VALUES:
        if found := getattr(experiment, part.replace("-", "_")):
            tables[part] = list(found.items()) if part == "init" else dict(found)  # initialisers apply in their order
    options = {k: v for k, v in experiment.training.items() if k not in REPORTS and v != OPTIONS[k].default}
    text = json.dumps([tables, options, processes], sort_keys=True, default=dict)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def cases(studies: list[Study], scale: str) -> list[Case]:
    """All rows of all tables that run at a scale."""
    found = (Case(study, table, row, scale) for study in studies for table in study.tables for row in table.rows)
    return [case for case in found if not case.skipped]


def merged(jobs: Iterable[Job]) -> dict[str, Job]:
    """Jobs by their key; one that several tables share has the values that all of them want."""
    out: dict[str, Job] = {}
    for job in jobs:
        known = out.get(job.key)
        wanted = {one.key: one for one in (*(known.wanted if known else ()), *job.wanted)}
        out[job.key] = replace(known or job, wanted=tuple(wanted.values()))
    return out


def expected(study: Study, scale: str) -> tuple[float, float, int]:
    """The expected minutes of one core for the first seed and for all seeds of a study, and the number of runs."""
    rows = cases([study], scale)
    first = merged(case.job(case.seeds[0], rate) for case in rows for rate in case.rates)
    later = merged(case.job(seed, case.rates[0]) for case in rows for seed in case.seeds[1:])
    whole = {**later, **first}
    minutes = [sum(job.minutes * job.processes for job in jobs.values()) for jobs in (first, whole)]
    return minutes[0], minutes[1], len(whole)


def own_file(job: Job) -> Experiment:
    """The experiment as the file of the job holds it: paths of specs don't depend on the folder of that file."""
    e = job.experiment
    if ".rnn" in e.spec and e.folder is not None:
        return replace(e, spec=str((e.folder / Path(e.spec)).resolve()))
    return e
