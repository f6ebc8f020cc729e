"""Cases with gaps: what ignores a mask, or takes steps out and puts results back in a wrong way, is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend as backends
from recurrency.model.gaps import Gap
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from recurrency.testing.conformance import case_of
from recurrency.testing.gaps import flags_without
from recurrency.testing.strata import listed
from recurrency.testing.verification.shrink import smallest

SPEC = rc.parse("cell Main[N](x: [N], z: [N]) -> (y: [N]) {\n y = tanh(x + z * y[t-1])\n loss l2(y)\n}")
CASE = Case({"N": 2}, {"t": 5}, 3, state=True, seed=2, mask=True)
KINDS = ["forward", "backward", "loss_gradients", "jvp"]


class Deaf:
    """A backend that takes all sequences as full: the lengths that a mask leaves are nothing to it."""

    name = "deaf"

    def __init__(self) -> None:
        self.inner = backends.find("numpy")

    def available(self) -> None:
        return None

    def build(self, *arguments: Any) -> Callable[[Any], Any]:
        runner = self.inner.build(*arguments)
        return lambda call: runner(call._replace(lengths=None))


def test_a_backend_that_ignores_masks_is_found() -> None:
    for kind in KINDS:
        assert not differences(SPEC, CASE, "numpy", [kind])
        assert not differences(SPEC, replace(CASE, mask=False), Deaf(), [kind])
        assert differences(SPEC, CASE, Deaf(), [kind])


FAULTS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "a mask that is not read": ("counts", property(lambda gap: gap.ends), "forward"),
    "the last steps are taken": ("together", lambda gap, array: array[: gap.steps], "forward"),
    "nothing in gaps": ("repeated", lambda gap, array, nothing: gap.apart(array), "forward"),
    "gaps give no adjoint": ("summed", lambda gap, array: gap.together(array), "backward"),
    "gradients where the gaps were": (
        "apart",
        lambda gap, array: np.resize(array, (*gap.there.shape, *array.shape[2:])),
        "backward",
    ),
    "a reset in a gap is lost": ("resets", lambda gap, flags: gap.together(flags), "forward"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_what_takes_gaps_out_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, fault, kind = FAULTS[name]
    case = replace(CASE, resets=method == "resets")
    assert not differences(SPEC, case, "numpy", [kind])
    monkeypatch.setattr(Gap, method, fault)
    assert differences(SPEC, case, "numpy", [kind])


@pytest.mark.parametrize("name", ["two clocks", "random", "whole sequences"])
def test_gaps_beside_lengths_are_right(name: str) -> None:
    from recurrency.testing.cells import cell

    lengths = {"t": (5, 3, 4), "s": (4, 3, 2)}
    case = case_of(name, batch=3, lengths=lengths, mask=True, resets=True, training=True, seed=4)
    assert not differences(cell(name), case, "numpy", KINDS)


def test_cases_with_gaps_are_among_the_first_and_shrink_to_some_without() -> None:
    found = [case for case in listed(SPEC, [{"N": 2}] * 3) if case.mask]
    assert {case.lengths is None for case in found} == {True, False}
    assert any(case.resets for case in found)
    assert "mask" in str(found[0])
    assert not smallest(SPEC, CASE, lambda case: True).mask
    assert smallest(SPEC, CASE, lambda case: case.mask).mask


def test_a_reset_in_a_gap_waits_for_the_next_step_and_none_comes_after_the_last() -> None:
    for seed in range(20):
        case = replace(CASE, seed=seed, resets=True)
        there, start = case.there("t"), case.restarts("t")
        moved = flags_without({"t": start}, case)["t"]
        for b in range(case.batch):
            assert moved[:, b].any() == start[:, b].any()
            assert not moved[there[:, b].sum() :, b].any()
