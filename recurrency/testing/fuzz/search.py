"""The search of the fuzzer: draw programs until one fails, then shrink it.

Hypothesis draws and shrinks. A round ends with its first new finding, so that each is shrunk by itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from recurrency.testing.fuzz.checks import Finding, Trial, checks
from recurrency.testing.fuzz.drawn import drawn
from recurrency.testing.fuzz.reduce import reduced
from recurrency.testing.fuzz.trials import trials

ROUND = 40
"""Programs in one round of Hypothesis, which varies its draws."""
SHRINKING = 30.0
"""Seconds for Hypothesis to shrink a finding, and then for removing pieces of the text."""


class FoundError(Exception):
    """A finding, for Hypothesis to shrink."""


class EnoughError(KeyboardInterrupt):
    """Time to stop shrinking; Hypothesis lets what interrupts it through."""


@dataclass
class Search:
    """The state of one search: counts and findings."""

    backends: Sequence[str]
    until: float
    report: Callable[[Finding], None]
    programs: int = 0
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    again: int = 0
    """How often a known finding occurred again."""
    stopped: bool = False
    drawn: Counter[tuple[str, str]] = field(default_factory=Counter)
    """In how many programs each construct was drawn; see `drawn`."""

    def stop(self, *_: object) -> None:
        """End now, or with the next program where exceptions are lost (in callbacks and destructors)."""
        self.stopped = True
        raise KeyboardInterrupt

    def run(self, seed: int) -> None:
        """Rounds until the time is over."""
        number = 0
        while time.monotonic() < self.until:
            self._round(seed * 1_000_003 + number)
            number += 1

    def _round(self, seed: int) -> None:
        run = _Round(self)

        @seeded(seed)
        @settings(
            max_examples=ROUND,
            phases=[Phase.generate, Phase.shrink],
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def attempt(data: Any) -> None:
            run.attempt(data)

        try:
            with suppress(FoundError, EnoughError):
                attempt()
            found = reduced(run.best, SHRINKING) if run.best is not None else None
        except KeyboardInterrupt:
            self._found(run.best)  # as small as it has become
            raise
        self._found(found)

    def _found(self, finding: Finding | None) -> None:
        if finding is not None:
            self.findings.append(finding)
            self.known.add(finding.key)
            self.report(finding)


@dataclass
class _Round:
    """One round: draws until a finding, which is then shrunk."""

    search: Search
    best: Finding | None = None
    shrinking: float = 0.0

    def attempt(self, data: Any) -> None:
        """One program."""
        search = self.search
        if search.stopped:
            raise KeyboardInterrupt
        if time.monotonic() > (self.shrinking or search.until):
            raise EnoughError
        found = self._examined(data.draw(trials(search.backends)))
        if found is None or (self.best is not None and found.key != self.best.key):
            return
        if found.key in search.known:
            search.again += 1
            return
        if self.best is None:
            self.shrinking = time.monotonic() + SHRINKING
        if self.best is None or len(found.trial.program.text) <= len(self.best.trial.program.text):
            self.best = found
        raise FoundError(found.what)

    def _examined(self, trial: Trial) -> Finding | None:
        finding, compared = checks(trial)
        if self.best is None:
            self.search.programs += 1
            self.search.compared += compared
            self.search.drawn.update(drawn(trial))
        return finding
