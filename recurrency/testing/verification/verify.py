"""The command `recurrency verify`: cases drawn by Hypothesis, on all backends, until something differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis.errors import Flaky

from recurrency.backend import Backend, describe, find, infers_only
from recurrency.errors import UsageError
from recurrency.language.elaboration.handed import SEED
from recurrency.model.spec import Spec
from recurrency.testing.bench import bench
from recurrency.testing.case import Case
from recurrency.testing.compare import Comparison, Difference, compared
from recurrency.testing.dimensions import as_lists, dimension_sets
from recurrency.testing.measured_slopes import slopes
from recurrency.testing.outcomes import KINDS, RESULTS_ONLY
from recurrency.testing.strata import draws_always, listed
from recurrency.testing.strategies import cases
from recurrency.testing.verification.blame import guilty
from recurrency.testing.verification.report import RULES, Finding, Report, Row
from recurrency.testing.verification.reproduce import reproduction, write_reproduction
from recurrency.testing.verification.rules import wrong_rule
from recurrency.testing.verification.shrink import SECONDS, smallest

ALL = "all"
SETS = 3
"""The number of sets of dimensions; each is compiled for every backend and dtype."""


def verify(
    specs: Spec | Iterable[Spec],
    backends: Sequence[str | Backend] | str = "all",
    examples: int = 30,
    seed: int = 0,
    dimensions: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    notify: Callable[[Row], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Compare backends with the interpreter in float64, and its derivatives with differences.

    `backends` are names, or `all` that can run here; pass an object for one that is not installed. `dimensions` fixes
    some dimensions, in the specs that have them; the others are small. Each difference writes a script that
    reproduces it into `folder`, if given. `notify` is called with each row when it is done, `progress` before each case
    with the name of the spec, the number of cases done, and that of all.

    Raises:
        UsageError: a backend that was asked for can't run here. SpecError: a spec has mistakes.
    """
    names, skipped = chosen(backends)
    start = time.monotonic()
    report = Report(skipped=skipped, limited=limited(names), examples=examples, seed=seed)
    for spec in [specs] if isinstance(specs, Spec) else specs:
        own = {*(d.name for d in spec.cell.dimensions), SEED, *spec.units().given}
        fixed = {n: v for n, v in as_lists(dimensions or {}).items() if n in own}
        search = Search(spec, names, fixed, None if folder is None else Path(folder), progress)
        search.run(examples, seed)
        for row in search.rows.values():
            report.rows.append(row)
            if notify is not None:
                notify(row)
    report.seconds = time.monotonic() - start
    return report


def chosen(backends: Sequence[str | Backend] | str) -> tuple[dict[str, str | Backend], dict[str, str]]:
    """The backends to compare by name, and the reasons of those that can't; `all` may be combined with names.

    Raises:
        UsageError: one that is named can't run here, or none is.
    """
    listed = [backends] if isinstance(backends, str) else list(backends)
    if not listed:
        raise UsageError("there is no backend to be compared: name some, or all")
    installed = describe() if ALL in listed else {}
    names: dict[str, str | Backend] = {n: n for n, reason in installed.items() if reason is None}
    names |= {find(b).name if isinstance(b, str) else b.name: b for b in listed if b != ALL}
    return names, {n: reason for n, reason in installed.items() if reason is not None}


def limited(names: Mapping[str, str | Backend]) -> dict[str, str]:
    """The backends that compute results only, with the kinds of calls in which they are not compared."""
    left = ", ".join(kind for kind in KINDS if kind not in RESULTS_ONLY)
    return {name: f"no gradients ({left}), no training" for name, b in names.items() if infers_only(_found(b))}


def _found(backend: str | Backend) -> Backend:
    return find(backend) if isinstance(backend, str) else backend


RARELY = 3
"""One in this many examples tests the gradient rules, which all backends share."""


class _FoundError(Exception):
    """Signals to Hypothesis that a case shows a difference."""


@dataclass
class _Hit:
    """A failure, and the smallest case so far that shows it."""

    backend: str
    kind: str
    case: Case
    since: float = field(default_factory=time.monotonic)


@dataclass
class Search:
    """All comparisons of one spec."""

    spec: Spec
    backends: dict[str, str | Backend]
    dimensions: dict[str, Any]
    folder: Path | None = None
    progress: Callable[[str, int, int], None] | None = None
    rows: dict[str, Row] = field(init=False)
    tried: int = 0
    examples: int = 0

    def __post_init__(self) -> None:
        self.rows = {name: Row(self.spec.name, name) for name in (*self.backends, RULES)}

    def run(self, examples: int, seed: int) -> None:
        """Compare until each backend has run all examples, or differs."""
        self.examples = examples
        sets = dimension_sets(self.spec, SETS, self.dimensions, seed)
        self._refuse(sets[0])
        first, strategy = iter(listed(self.spec, sets, seed)[:examples]), cases(self.spec, sets)
        for turn in range(len(self.rows)):
            alive = [n for n, row in self.rows.items() if row.finding is None and not row.refused]
            if not alive:
                break
            hit = next((hit for case in first if (hit := self._example(case, alive))), None)
            if hit is None and self.tried < examples:
                hit = self._hunted(strategy, alive, examples - self.tried, seed + turn)
            if hit is None:
                break
            self.rows[hit.backend].finding = self._finding(hit)

    def _refuse(self, dimensions: Mapping[str, Any]) -> None:
        """Leave out the backends that can't compute the cell."""
        for name, backend in self.backends.items():
            if infers_only(_found(backend)) and draws_always(self.spec, dimensions):
                self.rows[name].refused = "it draws random numbers out of training"

    def _example(self, case: Case, alive: list[str]) -> _Hit | None:
        """One case on all backends, up to the first that differs."""
        if self.progress is not None:
            self.progress(self.spec.name, self.tried, self.examples)
        self.tried += 1
        for name in alive:
            if name == RULES:
                if self.tried % RARELY:
                    continue
                case = plain(case)
            found = self.compared(name, case)
            self.rows[name].add(found)
            if found.differences:
                return _Hit(name, found.differences[0].kind, case)
        return None

    def _hunted(self, strategy: Any, alive: list[str], count: int, seed: int) -> _Hit | None:
        """The first difference, as small as Hypothesis makes it."""
        hits: list[_Hit] = []

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        @hypothesis.given(strategy)
        def look(case: Case) -> None:
            if hits:
                self._again(hits[0], case)
                return
            hit = self._example(case, alive)
            if hit is not None:
                hits.append(hit)
                raise _FoundError

        try:
            look()
        except (_FoundError, Flaky):
            return hits[0]
        return None

    def _again(self, hit: _Hit, case: Case) -> None:
        """The comparison while Hypothesis shrinks a case; when time is up, nothing fails any more."""
        late = time.monotonic() - hit.since > SECONDS
        if case.key == hit.case.key or (not late and self._fails(hit, case)):
            hit.case = case
            raise _FoundError

    def _fails(self, hit: _Hit, case: Case) -> bool:
        return bool(self.compared(hit.backend, case, hit.kind).differences)

    def compared(self, name: str, case: Case, kind: str | None = None) -> Comparison:
        """A backend on a case, or the gradient rules."""
        if name != RULES:
            return compared(self.spec, case, self.backends[name], None if kind is None else [kind])
        found = [d for d in slopes(self.spec, plain(case)) if kind in (None, d.kind)]
        return Comparison(found, max((d.greatest for d in found), default=0.0), 1)

    def _finding(self, hit: _Hit) -> Finding:
        """The details of a difference."""
        case = smallest(self.spec, hit.case, lambda c: self._fails(hit, c))
        difference = self.compared(hit.backend, case, hit.kind).differences[0]
        if hit.backend == RULES:
            blamed, backend, first = wrong_rule(self.spec, case), None, None
        else:
            blamed, backend = guilty(self.spec, case, self.backends[hit.backend], difference), hit.backend
            first = first_stream(self.spec, case.of(difference.dtype), self.backends[hit.backend])
        file = None
        if self.folder is not None:
            text = reproduction(self.spec, case, backend, difference.kind, str(difference), blamed)
            file = str(write_reproduction(self.folder, self.spec, backend, text))
        return Finding(self.spec.name, hit.backend, case, difference, first, blamed, file)


def plain(case: Case) -> Case:
    """The case with numbers that suit finite differences."""
    return replace(case, values="normal", weights="normal")


def first_stream(spec: Spec, case: Case, backend: str | Backend) -> Difference | None:
    """The stream that differs first: in the earliest step, and there in the order of computation."""
    graph = bench(spec).elaborated(case.dimensions).graph
    turn = {id: number for number, id in enumerate(graph.order())}
    found = [d for d in compared(spec, case, backend, ["streams"]).differences if d.axes[:1] == ("step",)]
    return min(found, key=lambda d: (d.place[0], turn[graph.roots[d.result]]), default=None)
