"""The networks of Chung et al. 2015 that are compared have equal numbers of weights, at both scales."""

from __future__ import annotations

import pytest

from recurrency.reproducing.plan import Case, cases
from recurrency.reproducing.studies import find
from recurrency.training.loop.processes import Processes
from recurrency.training.runs.session import Session

WEIGHTS = {("characters", "small"): 150_000, ("characters", "paper"): 500_000}
WEIGHTS |= {("programs", "small"): 58_000, ("programs", "paper"): 200_000}


def weights(case: Case) -> int:
    experiment = case.experiment.changed({"backend": "interpreter"})
    return int(Session.of(experiment, lambda words: None, Processes()).model.size)


@pytest.mark.parametrize("scale", ["small", pytest.param("paper", marks=pytest.mark.long)])
def test_networks_that_are_compared_have_equal_numbers_of_weights(scale: str) -> None:
    found = {(case.table.name, case.row.name): weights(case) for case in cases([find("chung-2015")], scale)}
    assert len(found) == 11
    for (table, row), size in found.items():
        assert size == pytest.approx(WEIGHTS[table, scale], rel=0.04), (table, row)
        stack = row.replace("gated-feedback", "stacked").replace("gated feedback", "stacked")
        assert size <= 1.01 * found[table, stack], f"{row} has more weights than what it is compared with"
        assert size == pytest.approx(found[table, stack], rel=0.04)
