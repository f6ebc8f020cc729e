"""Several specs verified by several processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from recurrency.errors import RecurrencyError, UsageError
from recurrency.model.spec import Spec
from recurrency.testing.fuzz.jobs import together
from recurrency.testing.verification.report import Report
from recurrency.testing.verification.verify import chosen, limited, verify


def processors() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def verify_together(
    load: Callable[[str], Spec], specs: Sequence[str], jobs: int, backends: Sequence[str], **options: Any
) -> Report:
    """`verify` in `jobs` processes; the rows are in the order of the specs.

    Arguments:
        load: a function of a module, which finds a spec by its name.
        options: further arguments of `verify`.

    Raises:
        UsageError: a backend can't run here, or a process was killed. KeyboardInterrupt: Ctrl-C.
    """
    names, skipped = chosen(backends)
    start = time.monotonic()
    given = (load, {"backends": list(backends), **options})
    gathered = together(_share, [(list(enumerate(specs))[k::jobs], *given) for k in range(jobs)])
    if gathered.interrupted:
        raise KeyboardInterrupt
    if gathered.died:
        raise UsageError(f"a process ended with exit code {gathered.died[0]}; try again with --jobs 1")
    report = Report(skipped=skipped, limited=limited(names), examples=options["examples"], seed=options["seed"])
    parts: dict[int, Report] = {}
    for part in gathered.results:
        if isinstance(part, str):
            raise UsageError(part)
        parts.update(part)
    for number in sorted(parts):
        report.rows += parts[number].rows
    report.seconds = time.monotonic() - start
    return report


def _share(
    specs: Sequence[tuple[int, str]], load: Callable[[str], Spec], options: dict[str, Any]
) -> dict[int, Report] | str:
    """The reports of one process's specs by their numbers, or the message of the first error."""
    try:
        return {n: verify(load(text), **options) for n, text in specs}
    except RecurrencyError as error:
        return str(error)
