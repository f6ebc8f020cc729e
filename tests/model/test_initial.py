"""Initial values that differ from those of the spec: which parameters get them, and which draws they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.language.vocabulary.initialisers import draw, generator
from recurrency.model.initial import initialised

H = 4


@pytest.fixture(scope="module")
def model() -> Any:
    return rc.library.GRU.compile(backend="numpy", dtype="float64", N=2, H=H)


def test_the_parameters_that_a_pattern_fits_are_drawn_by_another_initialiser(model: Any) -> None:
    views = model.views(initialised(model, 3, {"U_*": "identity(0.5)", "b_z": "constant(-2)"}))
    for name in ("U_z", "U_r", "U_c"):
        np.testing.assert_array_equal(views[name], 0.5 * np.eye(H))
    np.testing.assert_array_equal(views["b_z"], -2)
    np.testing.assert_array_equal(views["W_z"], model.views(model.init(3))["W_z"])


def test_each_parameter_has_its_own_draws(model: Any) -> None:
    views = model.views(initialised(model, 3, {"*": "normal(1, 2)"}))
    for name, values in views.items():
        np.testing.assert_array_equal(values, draw("normal", (1, 2), values.shape, generator(3, name)))
    assert not np.array_equal(views["U_z"], views["U_r"])


def test_of_several_patterns_the_last_that_fits_counts(model: Any) -> None:
    views = model.views(initialised(model, 0, {"U_z": "zeros", "U_*": "identity"}))
    np.testing.assert_array_equal(views["U_z"], np.eye(H))
    views = model.views(initialised(model, 0, {"U_*": "identity", "U_z": "zeros"}))
    np.testing.assert_array_equal(views["U_z"], 0)


def test_brackets_of_a_name_are_not_a_pattern() -> None:
    deep = rc.library.MLP.compile(backend="numpy", N=2, H=3, K=1, L=2)
    views = deep.views(initialised(deep, 0, {"h[2].*.W": "ones"}))
    np.testing.assert_array_equal(views["h[2].Linear.W"], 1)
    assert not (views["h[1].Linear.W"] == 1).any()


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        ({"V": "zeros"}, "GRU has no parameter V; it has W_z, "),
        ({"u_z": "zeros"}, "GRU has no parameter u_z; did you mean U_z"),
        ({"U_z": "orthogonl"}, r"U_z \[4, 4\] can't be drawn by orthogonl:(.|\n)*did you mean orthogonal"),
        ({"U_z": "zeros }"}, "can't be drawn by zeros }"),
        ({"U_z": "zeros\n    param V : [4] ~ zeros"}, "an initialiser is one line"),
        ({"U_z": ""}, "can't be drawn by"),
        ({"b_z": "identity"}, "needs a square matrix"),
    ],
)
def test_what_fits_no_parameter_is_told(model: Any, instead: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        initialised(model, 0, instead)
