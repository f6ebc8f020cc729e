"""Tests of cells and of backends, for their authors.

    from recurrency.testing import verify
    from recurrency.testing.conformance import BackendConformance

Names are imported when they are first used; drawing cases needs Hypothesis (the extra `verify`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from recurrency.errors import UsageError
from recurrency.extras import install

if TYPE_CHECKING:
    from recurrency.testing.case import Case as Case
    from recurrency.testing.compare import Difference as Difference
    from recurrency.testing.compare import differences as differences
    from recurrency.testing.compare import tolerance as tolerance
    from recurrency.testing.conformance import BackendConformance as BackendConformance
    from recurrency.testing.dimensions import dimension_sets as dimension_sets
    from recurrency.testing.measured_slopes import slopes as slopes
    from recurrency.testing.specs.strategy import Program as Program
    from recurrency.testing.specs.strategy import programs as programs
    from recurrency.testing.strategies import cases as cases
    from recurrency.testing.verification.blame import guilty as guilty
    from recurrency.testing.verification.report import Finding as Finding
    from recurrency.testing.verification.report import Report as Report
    from recurrency.testing.verification.report import Row as Row
    from recurrency.testing.verification.rules import wrong_rule as wrong_rule
    from recurrency.testing.verification.verify import verify as verify

# Public name -> the module that holds it. None is called like its module, which would take its place once imported.
_HOMES = {
    "BackendConformance": "conformance",
    "Case": "case",
    "Difference": "compare",
    "Finding": "verification.report",
    "Program": "specs.strategy",
    "Report": "verification.report",
    "Row": "verification.report",
    "cases": "strategies",
    "differences": "compare",
    "dimension_sets": "dimensions",
    "guilty": "verification.blame",
    "programs": "specs.strategy",
    "slopes": "measured_slopes",
    "tolerance": "compare",
    "verify": "verification.verify",
    "wrong_rule": "verification.rules",
}

__all__ = [
    "BackendConformance",
    "Case",
    "Difference",
    "Finding",
    "Program",
    "Report",
    "Row",
    "cases",
    "differences",
    "dimension_sets",
    "guilty",
    "programs",
    "slopes",
    "tolerance",
    "verify",
    "wrong_rule",
]


def __getattr__(name: str) -> Any:
    """Import the home of a public name on first use (PEP 562).

    Raises:
        UsageError: it needs Hypothesis, which is not here.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise UsageError(f"cases are drawn by Hypothesis: {install('verify')}") from None
    globals()[name] = getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
