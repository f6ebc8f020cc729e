"""The command `recurrency reproduce` after its command line is parsed."""

from __future__ import annotations

import json
import math
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from recurrency.disk.files import require_folder, write_whole
from recurrency.errors import RecurrencyError, UsageError
from recurrency.reproducing import machine
from recurrency.reproducing.keeping import keep, page_of
from recurrency.reproducing.page import page
from recurrency.reproducing.plan import Case, cases
from recurrency.reproducing.report import Report
from recurrency.reproducing.running import Runner
from recurrency.reproducing.starting import Start, in_processes
from recurrency.reproducing.store import Store
from recurrency.reproducing.studies import SCALES, Study, find, shipped
from recurrency.training.runs.reporters import Write
from recurrency.training.runs.session import task_of
from recurrency.training.tasks import Settings

MARKDOWN, HTML = "report.md", "report.html"
RESERVE = 30.0
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
    """The arguments of the command: names of studies, or all; `budget` in seconds."""

    names: Sequence[str] = ()
    all: bool = False
    scale: str = "small"
    budget: float | None = None
    out: str = "reproduced"
    keep: str | None = None
    processes: int | None = None
    data: str | None = None
    start: Start = field(default=in_processes)

    def studies(self) -> list[Study]:
        """The studies that are meant.

        Raises:
            UsageError: none is named, one does not exist, or its file is malformed.
        """
        if self.all == bool(self.names):
            raise UsageError(f"name studies, or --all; there are {', '.join(shipped())}")
        found = [find(name) for name in dict.fromkeys(shipped() if self.all else self.names)]
        without = [study.name for study in found if self.scale not in study.scales]
        if without and not self.all:
            raise UsageError(f"{', '.join(without)} has no scale {self.scale}")
        return found


def reproduce(request: Request, write: Write) -> bool:
    """Run studies and write the report; returns whether it was stopped by Ctrl-C.

    Raises:
        UsageError: an argument does not fit, a file of a study is malformed, no study has its data, or a file can't
            be written.
    """
    began = time.monotonic()
    studies = request.studies()
    store, kept = Store(Path(request.out)), None if request.keep is None else Store(Path(request.keep))
    if kept is not None:
        require_folder(kept.path)
    with store.locked():
        ready, absent = checked(studies, request, write)
        if not ready:
            raise UsageError("\n".join(["nothing can run", *(f"{name}: {words}" for name, words in absent.items())]))
        runner = Runner(ready, store, write, request.processes or machine.cores(), start=request.start)
        runner.kept = () if kept is None else (kept,)
        if request.budget is not None:
            runner.deadline = began + request.budget - min(RESERVE, request.budget / 20)
        _say_plan(runner, write)
        stopped = False
        try:
            with terminated_as_interrupted():
                runner.run()
        except KeyboardInterrupt:
            stopped = True
            write("interrupted; the same command goes on from here")
        _write_report(request, ready, studies, absent, write)
        if kept is not None:
            _keep(store, kept, ready, write)
    return stopped


# --------------------------------------------------------------------------------------------------------- beforehand


def checked(studies: Sequence[Study], request: Request, write: Write) -> tuple[list[Case], dict[str, str]]:
    """The cases that can run, and why others can't: each task is built once, which reads its data.

    Raises:
        UsageError: a study does not name a spec or a task.
    """
    absent: dict[str, str] = {
        study.name: f"it has no scale {request.scale}" for study in studies if request.scale not in study.scales
    }
    ready, known = [], {}
    for case in cases(list(studies), request.scale):
        e = case.experiment
        options = e.options()
        sizes = Settings(e.data, 1, options["length"] or Settings.length, options["chunk"], options["dtype"], 0)
        key = json.dumps([e.task, e.data, dict(e.task_options), options["length"], options["chunk"]], default=str)
        if key not in known:
            known[key] = "" if e.task is None else _obstacle(case, sizes)
        if known[key]:
            if case.study.name not in absent:
                write(f"{case.study.name}: {known[key]}")
            absent[case.study.name] = f"table {case.table.name}: {known[key]}"
        else:
            ready.append(case)
    return ready, absent


def _obstacle(case: Case, sizes: Settings) -> str:
    """Why a task can't be built; "" if it can."""
    try:
        task_of(case.experiment, sizes)
    except RecurrencyError as error:
        return str(error)
    return ""


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
    stores = (Store(out),) if request.keep is None else (Store(out), Store(Path(request.keep)))
    report = _report(out / MARKDOWN, out / "pictures", stores, absent, write)
    budget = "" if request.budget is None or math.isinf(request.budget) else f" within {request.budget / 60:g} minutes"
    report.introduction = f"Written by `recurrency reproduce` at the scale `{request.scale}`{budget}."
    text = report.text([(study, own) for study in studies if (own := [c for c in ready if c.study is study])])
    write_whole(report.path, text)
    write_whole(out / HTML, page(text, TITLE, out))
    write(f"wrote {report.path} and {out / HTML}")


def _report(path: Path, pictures: Path, stores: tuple[Store, ...], absent: dict[str, str], write: Write) -> Report:
    try:
        pictures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{pictures} can't be made: {error.strerror or error}") from error
    return Report(path, pictures, TITLE, "", stores, write, absent)


def _keep(store: Store, kept: Store, ready: list[Case], write: Write) -> None:
    """Keep the done runs, and write the page of all that is kept: each table at the largest scale that has runs."""
    try:
        kept.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{kept.path} can't be made: {error.strerror or error}") from error
    new = keep(store, kept, ready)
    given = {case.study.name: case.study for case in ready}
    known = [given.get(name) or find(name) for name in dict.fromkeys([*shipped(), *given])]
    report = _report(page_of(kept.path), kept.path / "pictures", (kept,), {}, write)
    report.introduction = "Written by `recurrency reproduce --keep`; each table at the largest scale that has runs."
    shown = [(study, own) for study in known if (own := largest(study, kept))]
    write_whole(report.path, report.text(shown))
    write(f"kept {new} new runs in {kept.path}; wrote {report.path}")


def largest(study: Study, kept: Store) -> list[Case]:
    """The cases of a study that a page of kept runs shows: of each table, those of the largest scale that has a run."""
    out: list[Case] = []
    for table in study.tables:
        for scale in SCALES:
            own = [case for case in cases([study], scale) if case.table is table]
            if any(kept.record(case.job(seed, rate)) for case in own for seed in case.seeds for rate in case.rates):
                out += own
                break
    return out
