"""Recurrent units with gates, or without any, that multiply the state by a matrix: their rows of the registry."""

from __future__ import annotations

from functools import partial

from tests.transcriptions import simple
from tests.transcriptions.case import Case

CASES: tuple[Case, ...] = (
    Case("Jordan", partial(simple.jordan, mu=0.75), {"N": 4, "H": 5, "K": 3, "mu": 0.75}),
    Case("SCRN", partial(simple.scrn, alpha=0.6), {"N": 4, "H": 5, "S": 3, "alpha": 0.6}),
)
