"""The command `recurrency reproduce` after its command line is parsed."""

from __future__ import annotations

import json
import math
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType

from recurrency.disk.files import require_folder, write_whole
from recurrency.errors import RecurrencyError, UsageError
from recurrency.reproducing import machine
from recurrency.reproducing.choice import Choice, choices
from recurrency.reproducing.keeping import keep, page_of
from recurrency.reproducing.page import page
from recurrency.reproducing.plan import Case, cases
from recurrency.reproducing.records import Record
from recurrency.reproducing.report import Report
from recurrency.reproducing.running import Runner, best_rate, is_done
from recurrency.reproducing.starting import Start, in_processes
from recurrency.reproducing.store import Store
from recurrency.reproducing.studies import SCALES, Study, Table, find, shipped
from recurrency.training.runs.reporters import Write
from recurrency.training.runs.session import task_of
from recurrency.training.tasks import Settings

MARKDOWN, HTML, PICTURES = "report.md", "report.html", "pictures"
RESERVE = 60.0
"""Seconds of the budget for the last checkpoints and the report, or a twentieth of it if that is less."""
TITLE = "Papers, reproduced"

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def seconds_of(text: str) -> float:
    """A time such as `60m`, `2h`, `90s` or `1h30m` in seconds.

    Raises:
        UsageError: it is something else, or nothing.
    """
    found = re.fullmatch(r"(?:(\d{1,6}(?:\.\d+)?)h)?(?:(\d{1,6}(?:\.\d+)?)m)?(?:(\d{1,6}(?:\.\d+)?)s)?", text.strip())
    total = sum(float(n) * UNITS[unit] for n, unit in zip(found.groups(), "hms", strict=True) if n) if found else 0.0
    if not total:
        raise UsageError(f"a budget is a time such as 60m, 2h, 90s or 1h30m, not {text!r}")
    return total


@dataclass(frozen=True)
class Request:
    """The arguments of the command: names of studies, tables and runs, or all studies; `budget` in seconds."""

    names: Sequence[str] = ()
    all: bool = False
    scale: str = "small"
    budget: float | None = None
    out: str = "reproduced"
    keep: str | None = None
    processes: int | None = None
    report: bool = False
    """Whether only the reports are written."""
    start: Start = field(default=in_processes)

    def chosen(self) -> list[Choice]:
        """What is asked for.

        Raises:
            UsageError: nothing is named, a name does not exist, or its file is malformed.
        """
        if self.all == bool(self.names):
            raise UsageError(f"name studies, or --all; there are {', '.join(shipped())}")
        found = choices(shipped() if self.all else self.names)
        without = {one.study.name: one for one in found if self.scale not in one.study.scales}
        if without and not self.all:
            raise UsageError(f"{', '.join(without)} has no scale {self.scale}")
        return found

    @property
    def stores(self) -> tuple[Store, ...]:
        """The folder of the runs, and that of the kept ones if there is one."""
        return tuple(Store(Path(path)) for path in (self.out, self.keep) if path is not None)


def reproduce(request: Request, write: Write) -> bool:
    """Run studies and write the report; returns whether it was stopped by Ctrl-C.

    Raises:
        UsageError: an argument does not fit, a file of a study is malformed, no study has its data, or a file can't
            be written.
    """
    began = time.monotonic()
    chosen = request.chosen()
    studies = list({one.study.name: one.study for one in chosen}.values())
    store, *kept = request.stores
    for one in kept:
        require_folder(one.path)
    with store.locked():
        ready, absent = checked(chosen, request, write)
        if not ready:
            raise UsageError("\n".join(["nothing can run", *(f"{name}: {words}" for name, words in absent.items())]))
        deadline = math.inf
        if request.budget is not None:
            deadline = began + request.budget - min(RESERVE, request.budget / 20)
        slots = request.processes or machine.cores()
        wanted = [case for case in ready if any(one.runs(case) for one in chosen)]
        runner = Runner(wanted, store, write, slots, deadline, request.start, tuple(kept))
        stopped = not request.report and _run(runner, write)
        _write_report(request, ready, studies, absent, write)
        for one in kept:
            _keep(store, one, ready, write)
    return stopped


def _run(runner: Runner, write: Write) -> bool:
    """Run all jobs; returns whether Ctrl-C stopped them."""
    _say_plan(runner, write)
    try:
        with terminated_as_interrupted():
            runner.run()
    except KeyboardInterrupt:
        write("interrupted; the same command goes on from here")
        return True
    return False


# --------------------------------------------------------------------------------------------------------- beforehand


def checked(chosen: Sequence[Choice], request: Request, write: Write) -> tuple[list[Case], dict[str, str]]:
    """The cases that can run, and why others can't: each task is built once, which reads its data.

    Raises:
        UsageError: a study does not name a spec or a task.
    """
    studies = {one.study.name: one.study for one in chosen}.values()
    absent: dict[str, str] = {
        study.name: f"it has no scale {request.scale}" for study in studies if request.scale not in study.scales
    }
    ready, known = [], dict[str, str]()
    shown = [case for case in cases(list(studies), request.scale) if any(one.shows(case) for one in chosen)]
    if not shown and not absent:
        raise UsageError(f"what is named is left out at the scale {request.scale}")
    for case in shown:
        why = "" if request.report or settled(case, request.stores) else _obstacle(case, known)
        if why and case.study.name not in absent:
            write(f"{case.study.name}: {why}")
        if why:
            absent.setdefault(case.study.name, f"table {case.table.name}: {why}")
        else:
            ready.append(case)
    return ready, absent


def settled(case: Case, stores: tuple[Store, ...]) -> bool:
    """Whether all jobs of a case are done, so that it needs no data."""
    rate = best_rate(case, stores) if len(case.rates) > 1 else case.rates[0]
    jobs = [*(case.job(case.seeds[0], one) for one in case.rates), *(case.job(seed, rate) for seed in case.seeds)]
    return all(any(is_done(store, job) for store in stores) for job in jobs)


def _obstacle(case: Case, known: dict[str, str]) -> str:
    """Why the task of a case can't be built; "" if it can. `known` has what was found for other cases."""
    e = case.experiment
    o = e.options()
    key = json.dumps([e.task, e.data, dict(e.task_options), o["length"], o["chunk"]], default=str)
    if key not in known:
        sizes = Settings(e.data, 1, o["length"] or Settings.length, o["chunk"], o["dtype"], 0)
        try:
            known[key] = ""
            if e.task is not None:
                task_of(e, sizes)
        except RecurrencyError as error:
            known[key] = str(error)
    return known[key]


def _say_plan(runner: Runner, write: Write) -> None:
    jobs = runner.waiting()
    rest = sum(job.minutes * job.processes for job in jobs)
    done = len({key for stage in runner.stages() for key in stage}) - len(jobs)
    where = f"{runner.slots} process{'es' if runner.slots > 1 else ''}"
    write(f"{len(jobs)} runs to do in {where}, about {rest:.0f} minutes of one core; {done} are done")


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within this context SIGTERM does what Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# -------------------------------------------------------------------------------------------------------------- after


def _write_report(
    request: Request, ready: list[Case], studies: Sequence[Study], absent: dict[str, str], write: Write
) -> None:
    out = Path(request.out)
    try:
        (out / PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out / PICTURES} can't be made: {error.strerror or error}") from error
    budget = "" if request.budget is None else f" within {request.budget / 60:.3g} minutes"
    introduction = f"Written by `recurrency reproduce` at the scale `{request.scale}`{budget}."
    report = Report(out / MARKDOWN, out / PICTURES, TITLE, introduction, request.stores, absent)
    text = report.text([(study, own) for study in studies if (own := [c for c in ready if c.study is study])])
    write_whole(report.path, text)
    write_whole(out / HTML, page(text, TITLE, out))
    write(f"wrote {report.path} and {out / HTML}")


def _keep(store: Store, kept: Store, ready: list[Case], write: Write) -> None:
    """Keep the done runs, and write the page of all that is kept."""
    try:
        (kept.path / PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{kept.path} can't be made: {error.strerror or error}") from error
    new = keep(store, kept, ready)
    report = kept_report(kept)
    write_whole(report.path, kept_text(report, {case.study.name: case.study for case in ready}))
    write(f"kept {new} new runs in {kept.path}; wrote {report.path}")


def kept_report(kept: Store) -> Report:
    """The page of a folder of kept runs."""
    introduction = (
        "Written by `recurrency reproduce` from kept runs (`--keep`), each table at the largest scale that has one, "
        "and at the next one while rows are missing there."
    )
    return Report(page_of(kept.path), kept.path / PICTURES, TITLE, introduction, (kept,))


def kept_text(report: Report, given: Mapping[str, Study]) -> str:
    """The text of such a page: all shipped studies and those `given` that have a run there."""
    (kept,) = report.stores
    known = [given.get(name) or find(name) for name in dict.fromkeys([*shipped(), *given])]
    return report.text([(study, own) for study in known if (own := largest(study, kept))])


def largest(study: Study, kept: Store) -> list[Case]:
    """The cases of a study that a page of kept runs shows: of each table, those of the largest scale that has a run.

    Where some of its rows have no done run, those of the next scale that has one follow. A scale whose runs all belong
    to the next one as well, since a recipe is the same at both, is not shown by itself.
    """
    of_scale = cache(lambda scale: cases([study], scale))
    return [case for table in study.tables for case in _shown(table, of_scale, kept)]


def _shown(table: Table, of_scale: Callable[[str], list[Case]], kept: Store) -> list[Case]:
    """The cases of one table that a page shows."""
    found: list[tuple[list[Case], set[str]]] = []
    for scale in SCALES:
        own = [case for case in of_scale(scale) if case.table is table]
        records = [_records(case, kept) for case in own]
        if any(records):
            found.append((own, {record.key for each in records for record in each}))
            if all(any(record.done for record in each) for each in records):
                break
    later = [keys for _, keys in found[1:]] + [set[str]()]
    return [case for (own, keys), following in zip(found, later, strict=False) if not keys <= following for case in own]


def _records(case: Case, kept: Store) -> list[Record]:
    """The records of its jobs that are kept."""
    found = (kept.record(case.job(seed, rate)) for seed in case.seeds for rate in case.rates)
    return [record for record in found if record is not None]
