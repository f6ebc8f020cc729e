"""Addition, multiplication and exclusive or: two numbers of a sequence are marked, and combined at its end.

x holds a number and a mark at each step: 1 at the two that count, in some layouts -1 where the sequence begins and
where it is about to end, else 0. The numbers between are noise of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from recurrency.errors import UsageError
from recurrency.training.data.sequences import Array, Batch, Input, Lengths
from recurrency.training.tasks.kinds import ENOUGH, STEPS, Kind, Option
from recurrency.training.tasks.measures import Measure, mean_error, off, squared_error, wrong_side
from recurrency.training.tasks.task import Settings, Task, from_draws

Places: TypeAlias = Callable[[np.random.Generator, int, int], Array]
"""(rng, T, count) to the steps [places, count] of what is marked, for sequences of about T steps."""


def percents(*ranges: tuple[int, int], closed: bool = False) -> Places:
    """One step out of each range, given in percent of T: low <= step < high, or <= high if `closed`."""

    def places(rng: np.random.Generator, T: int, count: int) -> Array:
        bounds = [(-(-low * T // 100), high * T // 100 + 1 if closed else -(-high * T // 100)) for low, high in ranges]
        if any(low >= high for low, high in bounds):
            raise UsageError(f"sequences of {T} steps are too short for this task; try a length of 30 or more")
        return np.stack([rng.integers(low, high, count) for low, high in bounds])

    return places


def first_ten(rng: np.random.Generator, T: int, count: int) -> Array:
    """One of the first ten steps, and another one of the first T / 2 (Hochreiter & Schmidhuber 1997, section 5.4)."""
    if T < 20:
        raise UsageError(f"sequences of {T} steps are too short for this task; try a length of 30 or more")
    first = rng.integers(0, 10, count)
    second = rng.integers(0, T // 2 - 1, count)
    return np.stack([first, second + (second >= first)])


def drawn_lengths(rng: np.random.Generator, T: int, percent: tuple[int, int], count: int) -> Array:
    """The number of steps of each sequence, within these percents of T (the upper end not included)."""
    low, high = (-(-p * T // 100) for p in percent)
    return rng.integers(low, max(low + 1, high), count)


def ragged(lengths: Array) -> Lengths:
    """Lengths as a batch has them: None where they are all the same."""
    return None if (lengths == lengths[0]).all() else lengths


@dataclass(frozen=True)
class Layout:
    """The places of the marks, the target, and when an answer counts as wrong.

    `lengths` are percents of T; `ends` are steps with the mark -1, from the end if negative.
    """

    places: Places
    answer: Callable[[Array], Array]
    measure: Measure
    lengths: tuple[int, int] = (100, 110)
    ends: tuple[int, ...] = ()
    low: float = 0.0
    bits: bool = False

    def draw(self, rng: np.random.Generator, count: int, T: int, dtype: DTypeLike) -> Batch:
        """Sequences x [steps, count, 2] with their answer, at every step of target [steps, count, 1]."""
        lengths, columns = drawn_lengths(rng, T, self.lengths, count), np.arange(count)
        shape = (int(lengths.max()), count)
        values = rng.integers(0, 2, shape).astype(float) if self.bits else rng.uniform(self.low, 1.0, shape)
        at = self.places(rng, T, count)
        x, target = np.zeros((*shape, 2), dtype), np.empty((*shape, 1), dtype)
        x[:, :, 0] = values
        x[at, columns, 1] = 1.0
        for end in self.ends:
            x[(lengths if end < 0 else 0) + end, columns, 1] = -1.0
        # The mark of the first step is -1 whatever else: a number that can't be seen to count counts as zero.
        target[...] = self.answer(values[at, columns] * (x[at, columns, 1] == 1.0))[:, None]
        known = ragged(lengths)
        if known is not None:
            padding = np.arange(shape[0])[:, None] >= lengths
            x[padding], target[padding] = 0.0, 0.0
        return Batch({"x": x, "target": target}, known)


def _sum(chosen: Array) -> Array:
    return np.asarray(chosen.sum(0))


def _product(chosen: Array) -> Array:
    return np.asarray(chosen.prod(0))


MARTENS, EARLY = percents((1, 10), (10, 50)), percents((0, 10), (10, 50))
CLOSE = off("target", 0.04, solved=0.01)

ADDITION: Mapping[str, Layout] = {
    "martens": Layout(MARTENS, _sum, CLOSE, ends=(0, -4)),
    "hochreiter": Layout(
        first_ten,
        lambda chosen: 0.5 + _sum(chosen) / 4,
        off("target", 0.04, 0.0, least=2000, beside=(mean_error("target", 0.01),)),
        ends=(0, -1),
        low=-1.0,
    ),
    "pascanu": Layout(EARLY, lambda chosen: _sum(chosen) / 2, off("target", 0.2, 0.01)),
    "le": Layout(percents((0, 50), (50, 100)), _sum, squared_error("target", 0.002), lengths=(100, 100)),
}
MULTIPLICATION: Mapping[str, Layout] = {
    "martens": Layout(MARTENS, _product, CLOSE, ends=(0, -4)),
    "pascanu": Layout(EARLY, _product, off("target", 0.2, 0.01)),
}
XOR: Mapping[str, Layout] = {
    "martens": Layout(
        percents((1, 10), (15, 25)),
        lambda bits: _sum(bits) % 2,
        wrong_side("target", 0.01),
        (50, 55),
        (0, -4),
        bits=True,
    )
}


def marked(
    settings: Settings,
    length: int,
    steps: int,
    held: int,
    name: str,
    layouts: Mapping[str, Layout],
    layout: str = "martens",
) -> Task:
    """A task of one of the layouts."""
    chosen = layouts[layout]
    draw = partial(chosen.draw, T=length, dtype=settings.dtype)
    inputs = {"x": Input((2,)), "target": Input((1,))}
    draw(np.random.default_rng(0), 1)  # tells at once where sequences would be too short
    held = held or chosen.measure.least
    return from_draws(name, draw, settings, steps, held, inputs=inputs, measure=chosen.measure)


def _kind(name: str, meaning: str, source: str, layouts: Mapping[str, Layout], solved: str) -> Kind:
    options = [
        Option(
            "length", 100, "T: sequences have T to 1.1 T steps, half of that in `xor`, just T with the layout `le`", 1
        ),
        STEPS,
        ENOUGH,
    ]
    if len(layouts) > 1:
        words = "the paper that defines marks, target and wrong answers"
        options.append(Option("layout", "martens", words, words=tuple(layouts)))
    inputs = {"x": "[2]: a number and a mark", "target": "[1]: the answer, at every step"}
    make = partial(marked, name=name, layouts=layouts)
    return Kind(name, meaning, source, inputs, make, tuple(options), solved=solved)


KINDS = (
    _kind(
        "addition",
        "output the sum of the two marked numbers at the end",
        "Hochreiter & Schmidhuber 1997, section 5.4; Martens & Sutskever 2011; Le et al. 2015",
        ADDITION,
        "fewer than 1 % off by more than 0.04; `hochreiter`: none of 2000, and a mean error below 0.01; `le`: mean "
        "squared error below 0.002",
    ),
    _kind(
        "multiplication",
        "the same with their product",
        "Hochreiter & Schmidhuber 1997, section 5.5; Martens & Sutskever 2011",
        MULTIPLICATION,
        "fewer than 1 % off by more than 0.04",
    ),
    _kind(
        "xor",
        "the same with bits, of which one or the other is set, not both",
        "Martens & Sutskever 2011",
        XOR,
        "fewer than 1 % on the wrong side",
    ),
)
