"""Whether a compiler's code is correct on this processor: tested once, in a separate process, and recorded.

The verdict is in the folder of libraries, under a name made of the compiler, its options, the processor's instructions
and this package's code: machines that share a home folder have one each.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from recurrency.disk import records
from recurrency.disk.cache import touch
from recurrency.disk.subprocesses import finished

from . import compiler as runtime_compiler

VARIABLE = "RECURRENCY_TRUST"
"""If this is 0, compiled code is used without a test."""

COMPILES, RUNS, WAITS = 120.0, 10.0, 120.0
"""Seconds for the compiler, which takes one or two; for its code, which takes a tenth of one: of processor time, and in
all on a busy machine."""

FAULTS = {-getattr(signal, name): name for name in "SIGSEGV SIGBUS SIGILL SIGFPE SIGABRT SIGTRAP SIGSYS".split()}
"""Exit codes of wrong code, and their signals; other signals come from a user."""

CODE = """
import sys
sys.path[:] = {path!r}
from recurrency.backends.c.runtime import trial
trial.main({compiles}, {runs}, {waits})
"""


class Verdict(NamedTuple):
    """Why compiled code cannot be used, or None; and whether that `lasts`, so that no other process tests it again."""

    reason: str | None
    lasts: bool


def enabled() -> bool:
    """Whether code is tested.

    Raises:
        UsageError: the variable is neither 0 nor 1.
    """
    return records.switched_on(VARIABLE)


def doubts() -> str | None:
    """Why code from this compiler cannot be used on this processor, or None.

    The first time, this takes a second or two.

    Raises:
        UsageError: the compiler cannot be run.
    """
    if not enabled() or not _interpreter():
        return None
    return _known(runtime_compiler.key("trust", records.key("trust")))


@cache
def _known(key: str) -> str | None:
    """The verdict that is recorded under a name, or found now."""
    path = runtime_compiler.folder() / f"{key}.verdict"
    found = _noted(path)
    if found is None:
        found = tried()
        if found.lasts:
            runtime_compiler.note(path, json.dumps(found))
    if found.reason is None:
        return None
    again = "`recurrency cache --clear` has it tried again" if found.lasts else "the next process tries it again"
    return f"{found.reason} ({again}; {VARIABLE}=0 uses it untried)"


def _noted(path: Path) -> Verdict | None:
    """The verdict in a file, or None."""
    try:
        reason, lasts = json.loads(path.read_text(encoding="utf-8"))
        touch(path)
    except (OSError, ValueError, TypeError):
        return None
    return Verdict(None if reason is None else str(reason), bool(lasts))


def tried() -> Verdict:
    """Run `trial` in a separate process."""
    code = CODE.format(path=sys.path, compiles=COMPILES, runs=RUNS, waits=WAITS)
    compiler = shlex.join(runtime_compiler.compiler())
    try:
        said = finished([_interpreter(), "-c", code], "", {**os.environ, VARIABLE: "0"}, 3 * COMPILES + 2 * WAITS)
    except subprocess.TimeoutExpired:
        return Verdict(f"code from {compiler} does not finish", True)
    except OSError as error:
        return Verdict(f"code from {compiler} can't be tried: {error}", False)
    if said.returncode in (-signal.SIGPROF, -signal.SIGALRM):
        spent = said.returncode == -signal.SIGPROF
        seconds = RUNS if spent else WAITS
        return Verdict(f"code from {compiler} does not finish: it was stopped after {seconds:g} s", spent)
    if said.returncode in FAULTS:
        return Verdict(f"code from {compiler} crashes on this processor ({FAULTS[said.returncode]})", True)
    try:
        return Verdict(*json.loads(said.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        last = (said.stderr.splitlines() or [f"exit code {said.returncode}"])[-1]
        return Verdict(f"code from {compiler} can't be tried: {last}", False)


def _interpreter() -> str:
    """The Python program; "" where Python is embedded in another program."""
    name = Path(sys.executable or "").name
    return sys.executable if name.startswith(("python", "pypy")) and not hasattr(sys, "frozen") else ""
