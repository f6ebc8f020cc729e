"""Sequences in the forms that people of scikit-learn have them: lists of arrays, 3-D arrays, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from recurrency.training.data.sequences import Array

REAL = [np.float64, np.float32]
"""The dtypes that are kept; numbers of others become the first."""


@dataclass(frozen=True)
class Read:
    """Sequences [T_i, N], and how they came.

    `array`: as one array, so answers at each step are one array too; `table`: as rows of numbers.
    """

    rows: list[Array]
    array: bool
    table: bool = False

    def shaped(self, answers: Sequence[Array]) -> Any:
        """Answers [T_i, ...] for each sequence as one array [B, T, ...] or as a list."""
        return np.stack(answers) if self.array else list(answers)


def read(estimator: Any, X: Any, lengths: Any = None, fit: bool = False) -> Read:
    """The sequences of `X`: a list of arrays [T_i, N] or [T_i], an array [B, T, N], or a table [B, T].

    A row of a table is a sequence of T steps of one number. With `fit` the features are noted at the estimator,
    otherwise they are compared with those of training. `lengths` [B] says how many steps of each row are there.

    Raises:
        ValueError: there is no sequence, one has no steps or other features, or a number is not finite.
    """
    X = X.to_numpy() if hasattr(X, "to_numpy") and getattr(X, "ndim", 2) == 1 else X  # a column of arrays
    if listed(X):
        if lengths is not None:
            raise ValueError("lengths are for arrays [B, T, N]; each sequence of a list has its own length")
        rows = [_sequence(number, row) for number, row in enumerate(X)]
        _check_features(estimator, rows, fit)
        return Read(_one_dtype(rows), False)
    table = _axes(X) != 3
    if table:
        array = _table(estimator, X, fit)[:, :, None]
    else:
        array = check_array(X, dtype=REAL, allow_nd=True, ensure_2d=False, input_name="X", estimator=estimator)
        _check_features(estimator, list(array), fit)
    return Read(cut(list(array), lengths), lengths is None, table)


def listed(X: Any) -> bool:
    """Whether `X` is a list of sequences, and not a table as nested lists."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and any(_axes(row) for row in X)
    if not isinstance(X, list | tuple):
        return False
    axes = {_axes(row) for row in X}
    return max(axes, default=0) > 1 or (axes == {1} and len({len(row) for row in X}) > 1)


def _axes(X: Any) -> int:
    """The number of axes of anything; of nested lists, those of their first elements."""
    if isinstance(X, list | tuple):
        return 1 + (_axes(X[0]) if len(X) else 0)
    return int(getattr(X, "ndim", 0))


def _sequence(number: int, row: Any) -> Array:
    """One sequence [T, N]."""
    array = np.asarray(row)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(
            f"X[{number}] is {list(array.shape)}; a sequence is [steps, features], or [steps] of one number"
        )
    if not len(array):
        raise ValueError(f"X[{number}] has no steps")
    return np.asarray(check_array(array, dtype=REAL, input_name=f"X[{number}]"))


def _one_dtype(rows: list[Array]) -> list[Array]:
    single = all(row.dtype == np.float32 for row in rows)
    return rows if single else [row.astype(np.float64, copy=False) for row in rows]


def _check_features(estimator: Any, rows: list[Array], fit: bool) -> None:
    """Note, or compare, the number of features of a step."""
    width = rows[0].shape[1]
    other = next((number for number, row in enumerate(rows) if row.shape[1] != width), None)
    if other is not None:
        raise ValueError(f"X[0] has {width} features, X[{other}] has {rows[other].shape[1]}")
    if fit:
        estimator.n_features_in_, estimator.inputs_ = width, width
        vars(estimator).pop("feature_names_in_", None)
    elif width != estimator.inputs_:
        name = type(estimator).__name__
        raise ValueError(f"X has {width} features, but {name} is expecting {estimator.inputs_} features as input")


def _table(estimator: Any, X: Any, fit: bool) -> Array:
    """A table [B, T]; after training on a table it must have the same columns."""
    if fit or estimator.from_table_:
        array = validate_data(estimator, X, dtype=REAL, reset=fit)
        if fit:
            estimator.inputs_ = 1
        return np.asarray(array)
    array = check_array(X, dtype=REAL, input_name="X", estimator=estimator)
    if estimator.inputs_ != 1:
        raise ValueError(
            f"X is {list(array.shape)}; this {type(estimator).__name__} was fitted on sequences of "
            f"{estimator.inputs_} features: pass a list of arrays [steps, {estimator.inputs_}], one sequence as [X]"
        )
    return np.asarray(array)


def cut(rows: list[Array], lengths: Any) -> list[Array]:
    """The first `lengths` [B] steps of each row.

    Raises:
        ValueError: these are no whole numbers from 1 to T.
    """
    if lengths is None:
        return rows
    ends, most = np.asarray(lengths), len(rows[0])
    if ends.shape != (len(rows),) or ends.dtype.kind not in "iu" or (ends < 1).any() or (ends > most).any():
        raise ValueError(f"lengths must be {len(rows)} whole numbers from 1 to {most}, one for each sequence")
    return [row[:end] for row, end in zip(rows, ends, strict=True)]
