"""Attention, outputs, and networks that take a cell as an argument."""

from __future__ import annotations

from tests.transcriptions.case import Case

CASES: tuple[Case, ...] = ()
