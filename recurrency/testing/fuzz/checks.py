"""The checks of every random program; each returns a finding or nothing."""

from __future__ import annotations

import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from recurrency.graph.roots import group_of
from recurrency.graph.text import graph_text
from recurrency.graph.verify import verify
from recurrency.language.writing.format import format_file
from recurrency.model.spec import parse
from recurrency.testing.case import Case
from recurrency.testing.compare import compared
from recurrency.testing.measured_slopes import slopes

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.model.spec import Spec
    from recurrency.testing.specs.strategy import Program

ROOTS = tuple(
    Path(spec.origin).parent
    for name in ("recurrency", "recurrency.backends")
    if (spec := find_spec(name)) and spec.origin
)
"""The folders of the compiler."""
COMPILING = 20
"""The most seconds for a compilation."""
COMPARING = 60
"""Seconds for one call, the interpreter's included."""


@dataclass(frozen=True)
class Trial:
    """A program and how it is called; `case` is None if the program can't be elaborated."""

    program: Program
    case: Case | None
    kinds: tuple[str, ...]
    without: tuple[str, ...]
    backend: str
    slopes: bool = False
    """Whether the interpreter's derivatives are compared with differences too, which is slow."""

    @property
    def key(self) -> str:
        """Equal for equal trials."""
        return repr(self)


@dataclass(frozen=True)
class Finding:
    """A failure, and the trial that shows it. Findings with equal `key` probably have one cause."""

    key: str
    what: str
    trial: Trial
    details: str = ""


class Wrong(Exception):  # noqa: N818 - short, because every check raises it
    """A check failed."""

    def __init__(self, key: str, what: str, details: str = "") -> None:
        super().__init__(what)
        self.key, self.what, self.details = key, what, details


def checks(trial: Trial) -> tuple[Finding | None, int]:
    """The first failure, and the number of elements compared."""
    count = 0
    try:
        with deadline(COMPILING):
            spec = trial.program.spec()
            for language in LANGUAGE:
                language(spec, trial)
        for numbers in NUMBERS:
            with deadline(COMPARING):
                count += numbers(spec, trial)
    except Wrong as wrong:
        return Finding(wrong.key, wrong.what, trial, wrong.details), count
    except Exception as error:  # whatever is raised is a finding: the program is valid
        place = _place(error)
        first = (str(error).strip().splitlines() or [""])[0]
        what = f"{type(error).__name__} in {place}: {first}"
        return Finding(f"{type(error).__name__} in {place}", what, trial, traceback.format_exc()), count
    return None, count


def _place(error: Exception) -> str:
    """The innermost function of the compiler in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if any(Path(f.filename).is_relative_to(root) for root in ROOTS)]
    last = own[-1] if own else frames[-1]
    return f"{Path(last.filename).stem}.{last.name}"


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` in a block that takes longer (only in the main thread, on systems with alarms)."""
    if not hasattr(signal, "SIGPROF"):
        yield
        return

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# ------------------------------------------------------------------------------------------------------- the language


def _checks(spec: Spec, trial: Trial) -> None:
    """The spec is valid, with dimensions as units and as numbers, and its graph too."""
    spec.check()
    verify(spec.graph(**trial.program.dimensions))


def _formats(spec: Spec, trial: Trial) -> None:
    """The formatted text means the same, and formatting it again changes nothing."""
    once = format_file(trial.program.text, "random.rnn")
    if format_file(once, "random.rnn") != once:
        raise Wrong("format twice", "formatting twice changes the text again", once)
    sizes = trial.program.dimensions
    if nodes(parse(once, "random.rnn").graph(**sizes)) != nodes(spec.graph(**sizes)):
        raise Wrong("format meaning", "the formatted text has another graph", once)


def nodes(graph: Graph) -> str:
    """The text of a graph, without the places in the spec from which its nodes come."""
    return re.sub("   # .*", "", graph_text(graph))


def _prints(spec: Spec, trial: Trial) -> None:
    """The equations can be typeset."""
    spec.latex()


LANGUAGE: tuple[Callable[[Spec, Trial], None], ...] = (_checks, _formats, _prints)

# -------------------------------------------------------------------------------------------------------- the numbers


def _compares(spec: Spec, trial: Trial) -> int:
    """A backend computes the interpreter's numbers."""
    if trial.case is None:
        raise Wrong("cases", "no case can be drawn for this program")
    found = compared(spec, trial.case, trial.backend, trial.kinds, trial.without)
    if found.differences:
        first = found.differences[0]
        key = f"{trial.backend}: {first.what or first.kind + ' ' + group_of(first.result)}"
        raise Wrong(key, f"{trial.backend}: {first}", "\n".join(map(str, found.differences)))
    return found.compared


def _slopes(spec: Spec, trial: Trial) -> int:
    """The interpreter's derivatives agree with finite differences."""
    if not trial.slopes or trial.case is None or trial.case.values not in PLAIN:
        return 0
    found = slopes(spec, trial.case)
    if found:
        raise Wrong(f"slopes: {found[0].kind}", f"interpreter: {found[0]}", "\n".join(map(str, found)))
    return 0


PLAIN = ("normal", "whole", "tiny")
"""Distributions of inputs for which finite differences work."""
NUMBERS: tuple[Callable[[Spec, Trial], int], ...] = (_compares, _slopes)
