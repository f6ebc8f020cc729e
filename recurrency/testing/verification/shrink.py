"""Shrink a case that shows a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from recurrency.errors import RecurrencyError
from recurrency.graph.roots import ADJOINT, FINAL, OUTPUT, START
from recurrency.testing.case import LAWS
from recurrency.testing.dimensions import free_dimensions

if TYPE_CHECKING:
    from recurrency.model.spec import Spec
    from recurrency.testing.case import Case

SECONDS = 40.0
"""The most seconds for shrinking a case."""


def smallest(spec: Spec, case: Case, fails: Callable[[Case], bool], seconds: float = SECONDS) -> Case:
    """The smallest case that still shows the difference.

    Hypothesis has shrunk it for fixed dimensions; here the dimensions shrink too, and whole arrays become zero.
    """
    end = time.monotonic() + seconds
    again = True
    while again and time.monotonic() < end:
        again = False
        for smaller in _smaller(spec, case):
            if time.monotonic() > end:
                break
            if _still(fails, smaller):
                case, again = smaller, True
                break
    return case


def _still(fails: Callable[[Case], bool], case: Case) -> bool:
    try:
        return fails(case)
    except RecurrencyError:
        return False  # the cell can't have these dimensions


def _smaller(spec: Spec, case: Case) -> Iterator[Case]:
    """Slightly smaller cases, the greatest reduction first."""
    sizes: dict[str, Any] = dict(case.dimensions)
    for name in (n for n in free_dimensions(spec) if isinstance(sizes.get(n), int)):
        yield from (
            replace(case, dimensions={**sizes, name: n}) for n in sorted({1, sizes[name] - 1}) if 0 < n < sizes[name]
        )
    plainer: dict[str, Any] = {
        "lengths": None,
        "state": False,
        "training": False,
        "resets": False,
        "mask": False,
        "spoilt": False,
        "cuts": (),
        "batch": 1,
    }
    for field, value in plainer.items():
        ragged = field == "batch" and case.lengths is not None
        if getattr(case, field) != value and case.batch and not ragged:
            yield replace(case, **{field: value})
    yield from _shorter(case)
    for field in ("values", "weights"):
        before: list[dict[str, Any]] = [{field: law} for law in list(LAWS)[: list(LAWS).index(getattr(case, field))]]
        yield from (replace(case, **change) for change in before)
    for name in _arrays(spec, case):
        if name not in case.zeroed:
            yield replace(case, zeroed=(*case.zeroed, name))


def _shorter(case: Case) -> Iterator[Case]:
    """With fewer sequences or steps, ragged as it is."""
    for clock, count in case.steps.items():
        longest = max((case.length(clock, b) for b in range(case.batch)), default=0)
        if longest < count or (case.lengths is None and count > 1):
            yield replace(case, steps={**case.steps, clock: count - 1})
    if case.lengths is None:
        return
    for b in range(case.batch):
        left = {clock: (*n[:b], *n[b + 1 :]) for clock, n in case.lengths.items()}
        yield replace(case, lengths=left, batch=case.batch - 1)
        for clock, n in case.lengths.items():
            if n[b]:
                yield replace(case, lengths={**case.lengths, clock: (*n[:b], n[b] - 1, *n[b + 1 :])})


def _arrays(spec: Spec, case: Case) -> list[str]:
    """The arrays of a case, as `zeroed` names them."""
    found = spec.elaborate(**case.dimensions)
    names = [f"param:{n}" for n in found.parameters]
    names += [f"input:{n}" for n, t in found.inputs.items() if t.index is None]
    names += [ADJOINT.of(OUTPUT.of(n)) for n in found.outputs] + [ADJOINT.of(FINAL.of(n)) for n in found.starts]
    return names + ([START.of(n) for n in found.starts] if case.state else [])
