"""Keeps finished runs as small text files, so that a report can grow over several days and machines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.reproducing.plan import Case, Job
from recurrency.reproducing.readings import Run
from recurrency.reproducing.results import outcome
from recurrency.reproducing.store import VALUES_FILE, Store
from recurrency.training.runs.folders import METRICS, RUN

MOST_LINES = 120
"""Epochs of a run that are kept."""


def keep(store: Store, kept: Store, cases: Iterable[Case]) -> int:
    """Copy the text files of done runs; returns how many are new.

    Raises:
        UsageError: a file can't be read or written.
    """
    jobs: dict[str, Job] = {}
    for case in cases:
        found = outcome(case, (store, kept))
        jobs |= {result.job.key: result.job for result in (*found.tried, *found.results)}
    return sum(_kept(store, kept, job) for job in jobs.values())


def _kept(store: Store, kept: Store, job: Job) -> bool:
    record, before = store.record(job), kept.record(job)
    if record is None or not record.done or record == before or (before is not None and before.date > record.date):
        return False
    source, target = store.of(job), kept.of(job)
    try:
        target.folder.mkdir(parents=True, exist_ok=True)
        for name in (RUN, VALUES_FILE):
            if (source.folder / name).is_file():
                shutil.copyfile(source.folder / name, target.folder / name)
    except OSError as error:
        raise UsageError(f"{target.folder} can't be written: {error.strerror or error}") from error
    lines = thinned(source.run)
    write_whole(target.folder / METRICS, "".join(json.dumps(line) + "\n" for line in lines))
    record.write(target.record)
    return True


def thinned(run: Run) -> list[dict[str, object]]:
    """The lines of some epochs, evenly spread, with the best and the last one; and the last line of all."""
    epochs = run.epochs
    step = max(1, -(-len(epochs) // MOST_LINES))
    best = run.end.get("best_epoch")
    chosen = [line for i, line in enumerate(epochs) if i % step == 0 or i == len(epochs) - 1 or line["epoch"] == best]
    return [dict(line) for line in (*chosen, *([run.end] if run.end else []))]


def page_of(folder: Path) -> Path:
    """The Markdown page of a folder of kept runs: beside it, with its name."""
    return folder.with_name(f"{folder.name}.md")
