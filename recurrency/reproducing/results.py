"""Results of a row over its seeds, and what becomes of a claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from recurrency.reproducing.plan import Case, Job
from recurrency.reproducing.readings import Reading
from recurrency.reproducing.records import Record
from recurrency.reproducing.running import best_rate
from recurrency.reproducing.store import Place, Store
from recurrency.reproducing.studies import Claim, Table


@dataclass(frozen=True)
class Result:
    """One job: its record and value, if it has run."""

    job: Job
    place: Place
    record: Record | None
    reading: Reading | None

    @property
    def counts(self) -> bool:
        """Whether its value is that of a run that has ended, by itself or by its limit."""
        return self.record is not None and self.record.done and self.reading is not None


@dataclass(frozen=True)
class Outcome:
    """A row of a table with the results of its jobs.

    `tried` are those of all rates with the first seed, `results` one for each seed, with the best rate.
    """

    case: Case
    rate: float | None
    tried: tuple[Result, ...]
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """The name of the row."""
        return self.case.row.name

    @cached_property
    def values(self) -> list[float]:
        """The values of the seeds that have ended."""
        return [result.reading.value for result in self.results if result.counts and result.reading is not None]

    @property
    def mean(self) -> float | None:
        """Their mean."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Their standard deviation; None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def missing(self) -> list[Result]:
        """The jobs without a value that counts."""
        return [result for result in self.results if not result.counts]

    @property
    def excess(self) -> float | None:
        """By which part of the published number the mean is worse; negative where it is better."""
        published = self.case.row.published
        if self.case.scale == UNJUDGED or self.mean is None or not isinstance(published, int | float):
            return None
        worse = self.mean - published if self.case.table.value.less else published - self.mean
        return worse / abs(published) if published else math.copysign(math.inf, worse) if worse else 0.0

    @property
    def missed(self) -> bool | None:
        """Whether the published number is missed by more than the table tolerates; None without a comparison."""
        return None if self.excess is None else self.excess > self.case.table.tolerance


def outcome(case: Case, stores: tuple[Store, ...]) -> Outcome:
    """The results of a row; those in the first store count before those in the others."""
    tried = tuple(_result(case, case.job(case.seeds[0], rate), stores) for rate in case.rates)
    rate = case.rates[0] if len(case.rates) == 1 else best_rate(case, stores)
    if rate is None and len(case.rates) > 1:
        return Outcome(case, None, tried, tried[:1])
    return Outcome(case, rate, tried, tuple(_result(case, case.job(seed, rate), stores) for seed in case.seeds))


def _result(case: Case, job: Job, stores: tuple[Store, ...]) -> Result:
    found = [(store, record) for store in stores if (record := store.record(job)) is not None]
    store, record = next(((s, r) for s, r in found if r.done), found[0] if found else (stores[0], None))
    place = store.of(job)
    readable = record is not None and record.state in ("finished", "limit", "stopped")
    return Result(job, place, record, place.reading(case.wanted) if readable else None)


UNJUDGED = "tiny"
"""The scale at which nothing is compared: its runs only show that the recipe works."""
HOLDS, FAILS, OPEN = "holds", "does not hold", "undecided"


def judged(claim: Claim, outcomes: Sequence[Outcome], table: Table) -> tuple[str, str]:
    """Whether a claim holds, and the figures: means over the seeds that have ended."""
    if any(outcome.case.scale == UNJUDGED for outcome in outcomes):
        return OPEN, f"the scale {UNJUDGED} decides nothing"
    by_name = {outcome.name: outcome for outcome in outcomes}
    means: list[tuple[str, float]] = []
    lacking = []
    for item in claim.chain:
        if not isinstance(item, str):
            means.append((f"{item:g}", float(item)))
        elif item in by_name and (mean := by_name[item].mean) is not None:
            means.append((f"{item} {mean:{table.value.form}}{_seeds(by_name[item])}", mean))
        else:
            lacking.append(item)
    if lacking:
        return OPEN, f"no finished run of {', '.join(lacking)}"
    sign = 1 if claim.less else -1
    pairs = pairwise(means)
    holds = all(sign * (b - a) > claim.margin for (_, a), (_, b) in pairs)
    mark = " < " if claim.less else " > "
    margin = f", margin {claim.margin:g}" if claim.margin else ""
    return HOLDS if holds else FAILS, f"{'claimed: ' if not holds else ''}{mark.join(w for w, _ in means)}{margin}"


def _seeds(outcome: Outcome) -> str:
    done, planned = len(outcome.values), len(outcome.results)
    return "" if done == planned else f" ({done} of {planned} seeds)"
