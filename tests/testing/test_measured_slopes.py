"""Differences: what they say of smooth functions, of bends, and of derivatives that are wrong."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from recurrency.testing.measured_slopes import AGREE, ALL, CHECKS, SHORTER, STEP, _Checker, measured


def told(f: Callable[[float], float], exact: float) -> bool:
    """Whether a derivative of f at 0 is said to be wrong."""
    checker = object.__new__(_Checker)
    number, doubt = measured(f)
    scale = max(abs(exact), abs(number))
    if doubt > AGREE * scale or abs(exact - number) <= 2 * AGREE * scale:
        return False
    return not checker._nearer(f, exact, scale)


def slight(by: float) -> float:
    """A bend between 0 and the farthest step, so slight that both step sizes go the same way."""
    return math.sin(by) + 2e-4 * max(0.0, by - STEP / 8)


def test_a_derivative_that_is_right_is_never_told() -> None:
    for f, exact in ((math.exp, 1.0), (math.sin, 1.0), (lambda by: (by - 0.5) ** 3, 0.75), (slight, 1.0)):
        assert not told(f, exact)


def test_a_slight_bend_nearby_would_lead_differences_of_one_size_astray() -> None:
    number, doubt = measured(slight)
    assert abs(number - 1.0) > 2 * AGREE
    assert doubt < abs(number - 1.0)
    assert measured(slight, SHORTER[-1])[0] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.99, 1.0001])
def test_a_derivative_that_is_wrong_is_told_however_short_the_steps(factor: float) -> None:
    assert told(lambda by: np.tanh(0.3 + by), factor * (1 - np.tanh(0.3) ** 2))


def test_all_kinds_of_gradients_are_checked() -> None:
    assert set(CHECKS) == {"vjp", "loss_gradients", "hvp"}
    assert ALL == ("param", "input", "start")
