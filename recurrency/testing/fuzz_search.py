"""The search of the fuzzer: one program after another, until one is found on which something is wrong; then a small one.

Hypothesis draws and shrinks. A round ends with its first new finding, so that each is shrunk by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from recurrency.testing.fuzz_checks import Finding, Trial, checks
from recurrency.testing.fuzz_trials import trials

ROUND = 40
"""Programs in one round of Hypothesis, which varies what it has drawn."""
SHRINKING = 90.0
"""Seconds for making a finding smaller."""


class FoundError(Exception):
    """A finding, for Hypothesis to shrink."""


@dataclass
class Search:
    """The state of one search: what was counted, and what was found."""

    backends: Sequence[str]
    until: float
    report: Callable[[str], None]
    programs: int = 0
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    again: int = 0
    """How often something was found that is known already."""

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
            attempt()
        except FoundError:
            pass
        if run.latest is not None:
            self.findings.append(run.latest)
            self.known.add(run.latest.key)
            self.report(f"found: {run.latest.what}")


@dataclass
class _Round:
    """One round: draws until a finding, which is then shrunk."""

    search: Search
    latest: Finding | None = None
    shrinking: float = 0.0
    failing: set[str] = field(default_factory=set)
    """The trials that failed, which have to fail again when they are drawn again."""

    def attempt(self, data: Any) -> None:
        """One program."""
        search = self.search
        if self.latest is None and time.monotonic() > search.until:
            return
        trial = data.draw(trials(search.backends))
        if self.shrinking and time.monotonic() > self.shrinking and trial.key not in self.failing:
            return
        found = self._examined(trial)
        if found is None:
            return
        if found.key in search.known:
            search.again += 1
            return
        self.shrinking = self.shrinking or time.monotonic() + SHRINKING
        self.failing.add(trial.key)
        self.latest = found
        raise FoundError(found.what)

    def _examined(self, trial: Trial) -> Finding | None:
        finding, compared = checks(trial)
        if self.latest is None:
            self.search.programs += 1
            self.search.compared += compared
        return finding
