"""Recurrences without a product of the state by a matrix: diagonal, affine, or with a matrix for a state."""

from __future__ import annotations

from tests.transcriptions.case import Case

CASES: tuple[Case, ...] = ()
