"""Hypothesis strategies: cases of a spec, which shrink to the smallest sizes and the simplest numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.testing.case import LAWS, Case
from recurrency.testing.dimensions import dimension_sets
from recurrency.testing.strata import Traits

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise UsageError(f"comparisons draw their cases with Hypothesis: {install('verify')}") from error

if TYPE_CHECKING:
    from recurrency.model.spec import Spec

GREATEST_STEPS = 5
GREATEST_BATCH = 3
VALUES = ("zeros", "whole", *["normal"] * 7, "tiny", "large", "large", "special", "special")
"""Distributions of inputs and states, the simplest first, repeated by their frequency."""
RESETS, MASKS = (6, 7), (5, 7)
"""The draws from 0 to 7 with which there are resets, and gaps."""
WEIGHTS = ("zeros", "whole", *["normal"] * 10)
assert {*VALUES, *WEIGHTS} <= set(LAWS)


def _size(greatest: int) -> st.SearchStrategy[int]:
    """A size from 1, now and then 0."""
    return st.sampled_from((*range(1, greatest + 1), *range(2, greatest + 1), *range(2, greatest + 1), 0))


def cases(
    spec: Spec,
    dimensions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    steps: int = GREATEST_STEPS,
    batch: int = GREATEST_BATCH,
    values: Sequence[str] = VALUES,
    sets: int = 3,
    seed: int = 0,
) -> st.SearchStrategy[Case]:
    """Cases of a spec: dimensions, steps (0 and 1 among them), ragged lengths, states, dtypes, numbers, chunks.

    `dimensions` fixes some dimensions, or lists the sets to choose from; else `sets` of them are drawn with `seed`.

    Raises:
        UsageError, SpecError: the cell can't be compiled.
    """
    if dimensions is None or isinstance(dimensions, Mapping):
        dimensions = dimension_sets(spec, sets, dimensions, seed)
    chosen, traits = dimensions, Traits.of(spec, dimensions[0])

    @st.composite
    def case(draw: Any) -> Case:
        sizes = dict(draw(st.sampled_from(chosen)))
        count = {c: draw(_size(steps)) for c in traits.clocks}
        sequences = draw(_size(batch))
        ragged = draw(st.booleans())
        lengths = {c: tuple(draw(st.integers(0, n)) for _ in range(sequences * ragged)) for c, n in count.items()}
        longest, flags = max(count.values()), draw(st.integers(0, 7))
        return Case(
            sizes,
            count,
            sequences,
            lengths if ragged else None,
            draw(st.sampled_from(dtypes)),
            state=traits.state and draw(st.booleans()),
            training=traits.random and draw(st.booleans()),
            values=draw(st.sampled_from(values)),
            weights=draw(st.sampled_from(WEIGHTS)),
            cuts=tuple(sorted(draw(st.lists(st.integers(0, longest), max_size=2)))),
            seed=draw(st.integers(0, 255)),
            resets=traits.state and flags in RESETS,
            mask=flags in MASKS,
        )

    return case()
