"""Arrays in place of those that a caller has not given: for comparisons, which need some numbers."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.language.elaboration.handed import MissingArrayError

if TYPE_CHECKING:
    from recurrency.model.spec import Spec


def with_arrays(spec: Spec, dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """The dimensions, with lists of normal numbers for each constant that needs an array.

    The numbers depend on the name and the shape of the constant alone.

    Raises:
        UsageError, SpecError: the cell can't be compiled for these dimensions.
    """
    try:
        spec.elaborate(**dimensions)
    except MissingArrayError as error:
        return with_arrays(spec, {**dimensions, **{n: _normal(n, shape) for n, shape in error.shapes.items()}})
    return dict(dimensions)


def _normal(name: str, shape: tuple[int, ...]) -> Any:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.round(rng.standard_normal(shape), 2).tolist()
