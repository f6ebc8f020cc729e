"""Planted mistakes are found, and what is wrong is named; without them the very same check finds nothing."""

from __future__ import annotations

import re

import pytest

import recurrency as rc
from recurrency import backend
from recurrency.testing import differences, guilty, slopes, wrong_rule
from tests.planted import Plant, kernels, passes, planted, rules, writers

ROWS = {row.name: row for table in (passes, rules, writers, kernels) for row in table.ROWS}


def named(row: Plant) -> str:
    """What is said to be wrong with a new spec ("" where nothing is)."""
    spec = rc.parse(row.text, "planted.rnn")
    if row.where.startswith("ops:"):
        return wrong_rule(spec, row.case) if slopes(spec, row.case) else ""
    found = differences(spec, row.case, row.backend, [row.kind])
    return guilty(spec, row.case, row.backend, found[0]) if found else ""


@pytest.mark.parametrize("name", ROWS)
def test_a_planted_mistake_is_found_and_named(name: str) -> None:
    row = ROWS[name]
    reason = backend.describe(emulated=True)[row.backend]
    if reason is not None:
        pytest.skip(reason)
    assert named(row) == ""
    with planted(row):
        assert re.match(row.said, named(row))


def test_there_are_many_of_every_sort() -> None:
    assert len(ROWS) >= 25
