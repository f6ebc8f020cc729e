"""The estimator that answers with numbers for a sequence, or for each of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from recurrency.sklearn.base import SEQUENCE, STEP, Recurrent
from recurrency.sklearn.reading import Read
from recurrency.sklearn.targets import numbers, numbers_of_steps
from recurrency.training.data.sequences import Array


class RecurrentRegressor(RegressorMixin, Recurrent):
    """A recurrent network that answers with numbers: a linear layer of the cell.

    It is the shipped network `Adding` (`each="sequence"`: the answer after the last step) or `FrameRegressor`
    (`each="step"`), and learns by `squared_error`. Targets are used as they are: scale them to about one, or let
    `sklearn.compose.TransformedTargetRegressor` do it. Its parameters are those of `RecurrentClassifier`.

    After `fit` it has `n_features_in_`, `model_` (a `recurrency.Model`), `params_` (one flat vector), `history_` (each
    epoch), `loss_curve_` and `n_iter_` (epochs).
    """

    networks: ClassVar = {SEQUENCE: "Adding", STEP: "FrameRegressor"}
    target = "target"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, lengths: Any = None) -> RecurrentRegressor:
        """Train.

        Arguments:
            X: a list of arrays [T_i, N]; or an array [B, T, N]; or a table [B, T], each row of which is a sequence of T
                steps of one number (so is an array [T_i] in a list).
            y: numbers, [B], or [B, K] for several targets; with `each="step"` an array [T_i] or [T_i, K] for each
                sequence, or [B, T] or [B, T, K].
            lengths: the number of steps of each sequence, [B], of an array or a table with padding at its end.

        Raises:
            ValueError: the data do not fit together, or a number is not finite.
            UsageError: there is no such cell, optimiser or backend, or an option has an impossible value.
            SpecError: the cell is malformed, or does not fit into the network.
            DivergedError: the loss became infinite or NaN.
            KeyboardInterrupt: after Ctrl-C; the estimator has the parameters found so far.
        """
        self._fitted(X, y, lengths)
        return self

    def _targets(self, found: Read, y: Any, lengths: Any) -> tuple[list[Array], int, Array | None]:
        if self.each == STEP:
            known = numbers_of_steps(found, y, lengths)
            self.single_target_ = known[0].ndim == 1
            rows = [row.reshape(len(row), -1) for row in known]
        else:
            given = numbers(found, y)
            self.single_target_ = given.ndim == 1
            whole = given.reshape(len(given), -1)
            rows = [np.tile(own, (len(row), 1)) for row, own in zip(found.rows, whole, strict=True)]
        return rows, rows[0].shape[1], None

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "single": self.single_target_}

    def _restore(self, facts: Mapping[str, Any]) -> None:
        self.single_target_ = bool(facts.get("single", False)) and self.model_.outputs["y"].shape == (1,)

    def predict(self, X: Any, lengths: Any = None) -> Any:
        """The numbers.

        Returns:
            [B], or [B, K] for several targets; with `each="step"` a list of arrays [T_i] or [T_i, K], or one array
            [B, T] or [B, T, K] for an array without `lengths`.

        Raises:
            NotFittedError: before `fit`. ValueError: the data have other features than those of training.
        """
        found, rows = self._answers(X, lengths)
        rows = [row[:, 0] for row in rows] if self.single_target_ else rows
        return np.stack([row[-1] for row in rows]) if self._whole else found.shaped(rows)

    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """The coefficient of determination R²: of sequences, or with `each="step"` of all steps together.

        `sample_weight` [B] weighs sequences; with `each="step"` it weighs the steps of each.
        """
        said = self.predict(X, lengths)
        return float(r2_score(*self._paired(said, y, lengths), sample_weight=self._weights(said, sample_weight)))
