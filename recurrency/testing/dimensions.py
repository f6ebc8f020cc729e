"""Small dimensions for a cell: a few sets, the smallest first, because every set needs a compilation."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from recurrency.errors import RecurrencyError, SpecError, UsageError
from recurrency.graph.fixed import Fixed
from recurrency.language import syntax
from recurrency.language.elaboration.binding import is_choice, is_real
from recurrency.language.elaboration.handed import array_of
from recurrency.model.placeholders import with_arrays

if TYPE_CHECKING:
    from recurrency.model.spec import Spec

SIZES = (1, 2, 3, 4, 5, 7)
"""The sizes that are drawn."""
STRUCTURAL = 4
"""Defaults up to here are kept: they often count layers."""
TRIES = 40


def free_dimensions(spec: Spec, given: Mapping[str, Any] | None = None) -> list[str]:
    """The dimensions to draw: not given, no functions or cells, and without a small default."""
    names = [d.name for d in spec.cell.dimensions]
    return [d.name for d in spec.cell.dimensions if d.name not in (given or {}) and _is_free(d, names)]


def _is_free(dimension: syntax.Dimension, names: list[str]) -> bool:
    default = dimension.default
    if default is None:
        return True
    if not isinstance(default, syntax.Number) or is_real(default) or is_choice(default, names):
        return False
    return default.value > STRUCTURAL


def dimension_sets(
    spec: Spec, count: int = 3, given: Mapping[str, Any] | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Up to `count` different sets of dimensions that the cell can be compiled for, the smallest first.

    `given` fixes some. The first set is all ones, the second has different numbers, so that a swapped axis shows;
    the others are random. Constants whose arrays the caller gives have random ones among the dimensions, as lists.

    Raises:
        UsageError, SpecError: the cell can't be compiled for any set that was tried.
    """
    given, free, rng = dict(given or {}), free_dimensions(spec, given), random.Random(seed)
    drawn = [dict.fromkeys(free, 1), {n: 2 + k % 4 for k, n in enumerate(free)}]
    drawn += [{n: rng.choice(SIZES) for n in free} for _ in range(TRIES)]
    out, failure = _fitting(spec, [{**sizes, **given} for sizes in drawn], count)
    fixed = [v for v in given.values() if isinstance(v, int)]
    if not out and fixed and free:
        larger = [{n: rng.choice(SIZES) + rng.choice((0, *fixed)) for n in free} for _ in range(TRIES)]
        out, _ = _fitting(spec, [{**sizes, **given} for sizes in larger], count)
    if not out and failure is not None:
        raise failure
    return sorted(out, key=lambda d: sum(v for v in d.values() if isinstance(v, int)))


def as_lists(dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions with lists instead of arrays and files, as a case prints them."""
    found = {name: array_of(name, value) for name, value in dimensions.items()}
    return {name: value.array.tolist() if isinstance(value, Fixed) else value for name, value in found.items()}


def _fitting(
    spec: Spec, drawn: Iterable[dict[str, Any]], count: int
) -> tuple[list[dict[str, Any]], RecurrencyError | None]:
    """The first sets that the cell can be compiled for, and the error of the first that does not fit."""
    out: list[dict[str, Any]] = []
    failure: RecurrencyError | None = None
    for sizes in drawn:
        if not any(sizes == {n: dimensions[n] for n in sizes} for dimensions in out):
            try:
                dimensions = with_arrays(spec, sizes)
            except (UsageError, SpecError) as error:
                failure = failure or error
                continue
            out.append(dimensions)
        if len(out) == count:
            break
    return out, failure
