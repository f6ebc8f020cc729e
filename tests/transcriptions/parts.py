"""Attention, outputs, and networks that take a cell as an argument: the rows of their modules."""

from __future__ import annotations

from tests.transcriptions import attention, composition, fast_dropout, outputs, reservoirs, tasks, translation
from tests.transcriptions.case import Case

CASES: tuple[Case, ...] = (
    *attention.CASES,
    *outputs.CASES,
    *composition.CASES,
    *fast_dropout.CASES,
    *reservoirs.CASES,
    *tasks.CASES,
    *translation.CASES,
)
