"""Runs the jobs of a plan in parallel processes, within a budget of time."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, sleep

from recurrency.errors import UsageError
from recurrency.reproducing import machine
from recurrency.reproducing.child import DIVERGED, FAILED
from recurrency.reproducing.plan import Case, Job, Wanted, merged
from recurrency.reproducing.readings import Run
from recurrency.reproducing.records import Record, State
from recurrency.reproducing.starting import Start, Started, in_processes, reason
from recurrency.reproducing.store import Place, Store
from recurrency.reproducing.values import VALUES
from recurrency.training.runs.folders import METRICS
from recurrency.training.runs.reporters import Write
from recurrency.training.runs.running import versions

POLL = 0.05
"""Seconds between two looks at the running jobs."""


@dataclass
class Active:
    """A job that runs. `before` is the time in seconds that it was trained by earlier commands.

    `since` is when its training began: the time before, in which it reads data and compiles, does not count.
    """

    job: Job
    place: Place
    started: Started
    before: float
    trains: bool = True
    """Whether it trains, and does not only compute values of a run that was stopped by its limit."""
    source: str = field(default_factory=machine.source)
    """The commit when it was started."""
    since: float | None = None
    written: int = 0
    """When its metrics were written last, before it was started."""
    beside: int = 1
    """The most processes that ran at the same time."""
    stopped: str = ""
    """By what it was stopped, if it was."""

    def stop(self, by: str) -> None:
        """Ask it to stop; to be called again until it has ended."""
        self.stopped = self.stopped or by
        self.started.stop()

    @property
    def over(self) -> bool:
        """Whether it has reached its limit."""
        if self.since is None and written(self.place) != self.written:
            self.since = monotonic()
        limit = self.job.limit
        if limit is None or self.since is None or self.before + monotonic() - self.since < 60 * limit:
            return False
        if Run.at(self.place.folder).finished:
            self.since = math.inf  # only values are left to compute
        return self.since < math.inf


@dataclass
class Runner:
    """Runs the jobs of `cases` in order, at most as many processes at the same time as there are `slots`.

    The `deadline` is one of `time.monotonic()`. `kept` are more folders in which finished jobs are looked for.
    """

    cases: list[Case]
    store: Store
    write: Write
    slots: int = 1
    deadline: float = math.inf
    start: Start = in_processes
    kept: tuple[Store, ...] = ()
    active: list[Active] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    spent: bool = False
    """Whether the budget ended before all jobs had run."""
    _done: dict[str, bool] = field(default_factory=dict)

    def run(self) -> None:
        """Run all jobs that are not done yet.

        Raises:
            KeyboardInterrupt: Ctrl-C; all jobs have made a checkpoint and ended. UsageError: a record can't be written.
        """
        try:
            left = self._begin()
            while self.active or (left and not self.spent):
                self._bound(left)
                sleep(POLL if self.active else 0)
                if self._collect():
                    left = self._begin()
        except BaseException:
            self._end_all()
            raise

    # -------------------------------------------------------------------------------------------------- what is next

    def stages(self) -> list[dict[str, Job]]:
        """The jobs as far as they are known: the first seed of all rows, the second, and so on; short jobs come first.

        Later seeds of a row with several rates have the best rate of the first seed, once all of these have run.
        """
        out = []
        for number in range(max((len(case.seeds) for case in self.cases), default=0)):
            jobs: list[Job] = []
            for case in self.cases:
                if number < len(case.seeds):
                    rates = case.rates if number == 0 else self._chosen(case)
                    jobs += [case.job(case.seeds[number], rate) for rate in rates]
            jobs.sort(key=lambda job: (job.processes == 1, job.minutes))
            out.append(merged(jobs))
        return out

    def _chosen(self, case: Case) -> tuple[float | None, ...]:
        """The best rate, in a tuple; nothing while not all have run."""
        if len(case.rates) == 1:
            return case.rates
        jobs = [case.job(case.seeds[0], rate) for rate in case.rates]
        if not all(job.key in self.tried or self.done(job) for job in jobs):
            return ()
        best = best_rate(case, (self.store, *self.kept))
        return () if best is None else (best,)

    def done(self, job: Job) -> bool:
        """Whether a job need not run: it has run, and has all values."""
        if job.key not in self._done:
            self._done[job.key] = any(is_done(store, job) for store in (self.store, *self.kept))
        return self._done[job.key]

    def waiting(self) -> list[Job]:
        """The jobs that are to run, in order."""
        busy = {one.job.key for one in self.active} | self.tried
        found = merged(job for stage in self.stages() for job in stage.values())
        return [job for key, job in found.items() if key not in busy and not self.done(job)]

    # ------------------------------------------------------------------------------------------------- start and end

    def _begin(self) -> bool:
        """Start jobs while there are free slots; returns whether any are left."""
        while waiting := self.waiting():
            job = waiting[0]
            used = sum(one.job.processes for one in self.active)
            if self.spent or monotonic() >= self.deadline or (used and used + job.processes > self.slots):
                break
            try:
                place = self.store.prepare(job)
                before, last, trains = place.run.seconds, written(place), not at_limit(self.store.record(job), job)
                started = self.start(job, place, trains)
            except UsageError as error:
                self.tried.add(job.key)
                self.write(f"{job.study}: {job.name} failed: {error}")
                continue
            self.write(f"{job.study}: {job.name} {'is measured' if not trains else 'goes on' if before else 'starts'}")
            self.active.append(Active(job, place, started, before, trains, written=last))
            used = sum(one.job.processes for one in self.active)
            for one in self.active:
                one.beside = max(one.beside, used)
        return bool(waiting)

    def _bound(self, left: bool) -> None:
        """Stop jobs at their limit, and all of them at the end of the budget."""
        if monotonic() >= self.deadline and not self.spent and (self.active or left):
            self.spent = True
            self.write("the budget is spent; running jobs make a checkpoint and stop")
        for one in self.active:
            if self.spent or one.over or one.stopped:
                one.stop("the budget" if self.spent else "its limit")

    def _collect(self) -> bool:
        """Record the jobs that have ended; returns whether there were any."""
        ended = [(one, code) for one in self.active if (code := one.started.code()) is not None]
        for one, code in ended:
            self.active.remove(one)
            self._record(one, code)
        return bool(ended)

    def _end_all(self) -> None:
        """Let all jobs make a checkpoint; another Ctrl-C ends them at once."""
        try:
            while self.active:
                for one in self.active:
                    one.stop("an interrupt")
                sleep(POLL)
                self._collect()
        finally:
            for one in self.active:
                one.started.kill()

    def _record(self, one: Active, code: int) -> None:
        job, place = one.job, Place(one.place.folder)
        self._done.pop(job.key, None)
        record = outcome(one, place, code)
        record.write(place.record)
        if not (one.trains and record.state == "limit" and slow(job)):
            self.tried.add(job.key)
        readings = [(wanted, place.reading(wanted)) for wanted in job.wanted]
        words = [f"{wanted.key} {found.value:.4g}" for wanted, found in readings if found is not None]
        told = ", ".join([record.state, *words, *([record.reason] if record.reason else [])])
        self.write(f"{job.study}: {job.name} {told} ({record.seconds:.0f} s)")


def written(place: Place) -> int:
    """When the metrics of a job were written last, in nanoseconds; 0 if there are none."""
    path = place.folder / METRICS
    return path.stat().st_mtime_ns if path.exists() else 0


def is_done(store: Store, job: Job) -> bool:
    """Whether a job is done in a folder, with all of its values."""
    found = store.record(job)
    if found is None or not found.done:
        return False
    if found.state == "limit" and not at_limit(found, job):
        return False
    return found.state == "diverged" or all(store.of(job).reading(one) for one in slow(job))


def at_limit(record: Record | None, job: Job) -> bool:
    """Whether a job was stopped by its limit, and has no longer one now."""
    if record is None or record.state != "limit" or record.limit is None:
        return False
    return job.limit is not None and job.limit <= record.limit


def slow(job: Job) -> list[Wanted]:
    """The values of a job that need its model."""
    return [one for one in job.wanted if not VALUES[one.value].quick]


HALTED = (0, 130, -signal.SIGINT, -signal.SIGKILL)
"""Exit codes of a job that was asked to stop."""


def outcome(one: Active, place: Place, code: int) -> Record:
    """The record of a job that has ended."""
    job, run = one.job, place.run
    planned = int(job.experiment.options()["epochs"])
    state: State = "failed"
    why = "" if code == 0 else reason(place.log, code)
    if run.finished:
        state, why = "finished", "its values were not computed yet" if one.stopped and code else why
    elif not one.trains:
        state, why = "limit", f"stopped by its limit after {len(run.epochs)} of {planned} epochs; {why}".rstrip("; ")
    elif one.stopped and code in HALTED:
        state = "limit" if one.stopped == "its limit" else "stopped"
        why = f"stopped by {one.stopped} after {len(run.epochs)} of {planned} epochs"
    elif code not in (FAILED, DIVERGED) and code in HALTED[:-1]:
        state, why = "stopped", f"interrupted after {len(run.epochs)} of {planned} epochs"
    elif code == DIVERGED:
        state = "diverged"
    backend = str(job.experiment.options()["backend"])
    return Record(
        key=job.key,
        study=job.study,
        name=place.folder.name,
        seed=job.seed,
        rate=job.rate,
        state=state,
        reason=why,
        epochs=len(run.epochs),
        epochs_planned=planned,
        updates=run.updates,
        seconds=run.seconds,
        limit=job.limit,
        backend=backend,
        processor=machine.processor(),
        cores=machine.cores(),
        beside=one.beside,
        source=one.source,
        date=datetime.now(UTC).date().isoformat(),
        versions=versions(backend),
    )


def best_rate(case: Case, stores: tuple[Store, ...]) -> float | None:
    """The rate with the best validation loss at the first seed; None if no run has one."""
    scores: dict[float, float] = {}
    for rate in case.rates:
        job = case.job(case.seeds[0], rate)
        records = [(store, record) for store in stores if (record := store.record(job)) is not None]
        found = [store.of(job).run.score for store, record in records if record.state in ("finished", "limit")]
        if rate is not None and found and min(found) < math.inf:
            scores[rate] = min(found)
    return min(scores, key=scores.__getitem__) if scores else None
