"""The checks of scikit-learn for estimators: all of them, without exceptions."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (the extra sklearn)")

from sklearn.utils.estimator_checks import parametrize_with_checks

from recurrency.sklearn import RecurrentClassifier, RecurrentRegressor

SHORT = {"hidden": 8, "backend": "numpy"}
QUICK = {
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_dont_overwrite_attributes",
    "check_estimator_cloneable",
    "check_estimator_sparse_tag",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_supervised_y_no_nan",
}
"""Those that train little."""


def name_of(check: Any) -> str:
    return str(getattr(check, "func", check).__name__)


@parametrize_with_checks([RecurrentClassifier(**SHORT), RecurrentRegressor(**SHORT)])
@pytest.mark.long
def test_estimators_pass_all_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("make", [RecurrentClassifier, RecurrentRegressor])
def test_estimators_pass_the_checks_that_train_little(make: Any) -> None:
    from sklearn.utils.estimator_checks import estimator_checks_generator

    seen = set()
    for estimator, check in estimator_checks_generator(make(**{**SHORT, "epochs": 1})):
        if name_of(check) in QUICK:
            seen.add(name_of(check))
            check(estimator)
    assert len(seen) > 5, f"scikit-learn has few of the checks by these names: {seen}"
