"""What is to be learned: a label or numbers for each sequence, or for each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_array, check_consistent_length, column_or_1d

from recurrency.sklearn.reading import Read
from recurrency.training.data.sequences import Array


def check_given(estimator: Any, y: Any) -> None:
    """Refuse to learn without targets.

    Raises:
        ValueError: there are none.
    """
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None")


def labels(read: Read, y: Any) -> Array:
    """A label for each sequence, [B].

    Raises:
        ValueError: there are more or fewer, or they are no labels but numbers with fractions.
    """
    found = column_or_1d(y, warn=True)
    check_consistent_length(read.rows, found)
    assert_all_finite(found, input_name="y")
    check_classification_targets(found)
    return np.asarray(found)


def numbers(read: Read, y: Any) -> Array:
    """Numbers for each sequence, [B] or [B, K].

    Raises:
        ValueError: there are more or fewer sequences, or one number is not finite.
    """
    found = np.asarray(check_array(y, dtype=np.float64, ensure_2d=False, input_name="y"))
    check_consistent_length(read.rows, found)
    return found


def of_steps(read: Read, y: Any, lengths: Any) -> list[Array]:
    """What `y` says of each step: an array [T_i] or [T_i, K] for each sequence.

    Where the data were cut by `lengths`, so is `y`.

    Raises:
        ValueError: a sequence has more or fewer steps, or a number is not finite.
    """
    if len(y) != len(read.rows):
        raise ValueError(f"X has {len(read.rows)} sequences, y has {len(y)}")
    out = []
    for number, (row, own) in enumerate(zip(read.rows, y, strict=True)):
        array = np.asarray(own)
        if array.ndim not in (1, 2):
            raise ValueError(f'y[{number}] is {list(array.shape)}; with each="step" it has something for each step')
        array = array[: len(row)] if lengths is not None else array
        if len(array) != len(row):
            raise ValueError(f"y[{number}] has {len(array)} steps, X[{number}] has {len(row)}")
        assert_all_finite(array, input_name=f"y[{number}]")
        out.append(array)
    return out


def labels_of_steps(read: Read, y: Any, lengths: Any) -> list[Array]:
    """A label for each step, [T_i] for each sequence.

    Raises:
        ValueError: as above, or one is not a label.
    """
    found = of_steps(read, y, lengths)
    if any(array.ndim != 1 for array in found):
        raise ValueError('with each="step" the labels of a sequence are an array [steps]')
    check_classification_targets(np.concatenate(found))
    return found


def numbers_of_steps(read: Read, y: Any, lengths: Any) -> list[Array]:
    """Numbers for each step, [T_i] or [T_i, K] for each sequence.

    Raises:
        ValueError: as above, or the sequences differ in K.
    """
    found = [np.asarray(array, np.float64) for array in of_steps(read, y, lengths)]
    if len({array.shape[1:] for array in found}) > 1:
        raise ValueError("the sequences of y differ in the number of targets")
    return found
