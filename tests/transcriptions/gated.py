"""Recurrent units with gates, or without any, that multiply the state by a matrix."""

from __future__ import annotations

from tests.transcriptions.case import Case

CASES: tuple[Case, ...] = ()
