"""Transformers of scikit-learn, such as scalers, applied to the steps of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from recurrency.sklearn.reading import Read, read


class EachStep(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Applies a transformer of tables to all steps of all sequences, as if each step were a row.

    `make_pipeline(EachStep(StandardScaler()), RecurrentClassifier())` scales each feature of a step.

    Parameters:
        transformer: an estimator with `fit` and `transform` from [rows, N] to [rows, M]. It is cloned by `fit`, which
            leaves it as it is.

    After `fit` it has `transformer_` and `n_features_in_`.
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: Any, y: Any = None, lengths: Any = None) -> EachStep:
        """Fit a copy of the transformer on all steps; `X` and `lengths` are as in `RecurrentClassifier.fit`.

        Raises:
            ValueError: there is no sequence, or it has no steps or other features, or a number is not finite.
        """
        found = read(self, X, lengths, fit=True)
        self.from_table_ = found.table
        self.transformer_ = clone(self.transformer).fit(np.concatenate(found.rows))
        return self

    def transform(self, X: Any) -> Any:
        """The sequences with transformed steps: a list of arrays [T_i, M], or an array [B, T, M].

        Raises:
            NotFittedError: before `fit`. ValueError: the data have other features than those of training.
        """
        check_is_fitted(self)
        found: Read = read(self, X)
        rows = self.transformer_.transform(np.concatenate(found.rows))
        ends = np.cumsum([len(row) for row in found.rows])[:-1]
        return found.shaped(np.split(np.asarray(rows), ends))
