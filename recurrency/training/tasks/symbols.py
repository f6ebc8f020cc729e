"""Symbols to remember over many others: temporal order, random permutation, memorisation, copying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.sequences import Array, Batch, Input
from recurrency.training.tasks.kinds import ENOUGH, HELD, STEPS, Kind, Option
from recurrency.training.tasks.marks import Places, drawn_lengths, percents, ragged
from recurrency.training.tasks.measures import wrong_anywhere, wrong_at_end, wrong_steps
from recurrency.training.tasks.task import Settings, Task, from_draws

# ------------------------------------------------------------------------------------------------------ temporal order

NOISE, X, END, START = 4, 4, 6, 7
"""0 to 3 are noise, 4 and 5 the symbols X and Y whose order counts, 6 says that the end has come, 7 begins."""


@dataclass(frozen=True)
class Order:
    """Where the symbols that count lie, for each number of them, and whether beginning and end are told."""

    places: Mapping[int, Places]
    told: bool = True
    lengths: tuple[int, int] = (100, 110)

    def draw(self, rng: np.random.Generator, count: int, T: int, bits: int) -> Batch:
        """Sequences x [steps, count], and which of the orders it was, at every step of label [steps, count]."""
        lengths, columns = drawn_lengths(rng, T, self.lengths, count), np.arange(count)
        x = rng.integers(0, NOISE, (int(lengths.max()), count))
        which = rng.integers(0, 2, (bits, count))
        x[self.places[bits](rng, T, count), columns] = X + which
        if self.told:
            x[0], x[lengths - 1, columns] = START, END
        label = (1 << np.arange(bits)[::-1]) @ which
        return Batch({"x": x, "label": np.broadcast_to(label, x.shape).copy()}, ragged(lengths))


ORDERS: Mapping[str, Order] = {
    "martens": Order(
        {
            2: percents((1, 10), (40, 50), closed=True),
            3: percents((1, 10), (30, 40), (50, 60), closed=True),
        }
    ),
    "hochreiter": Order(
        {
            2: percents((10, 20), (50, 60), closed=True),
            3: percents((10, 20), (33, 43), (66, 76), closed=True),
        }
    ),
    "pascanu": Order(
        {2: percents((10, 20), (50, 60)), 3: percents((10, 20), (30, 40), (60, 70))}, told=False, lengths=(100, 100)
    ),
}


def temporal_order(settings: Settings, length: int, bits: int, layout: str, steps: int, held: int) -> Task:
    """A task of one of the layouts, with two or three symbols that count."""
    draw = partial(ORDERS[layout].draw, T=length, bits=bits)
    draw(np.random.default_rng(0), 1)  # tells at once where sequences would be too short
    inputs = {"x": Input((), START + 1), "label": Input((), 2**bits)}
    return from_draws("temporal-order", draw, settings, steps, held, inputs=inputs, measure=wrong_at_end("label", 0.01))


# -------------------------------------------------------------------------------------------------- random permutation


def random_permutation(settings: Settings, length: int, symbols: int, steps: int, held: int) -> Task:
    """The symbol 0 or 1, then others; predict the next one at each step, and at the end the first one again."""

    def draw(rng: np.random.Generator, count: int) -> Batch:
        x = rng.integers(2, symbols, (length, count))
        x[0] = rng.integers(0, 2, count)
        return Batch({"x": x, "target": np.roll(x, -1, 0)})

    inputs = {"x": Input((), symbols), "target": Input((), symbols)}
    return from_draws(
        "random-permutation", draw, settings, steps, held, inputs=inputs, measure=wrong_at_end("target", 0.01)
    )


# -------------------------------------------------------------------------------------------- memorisation and copying

MOST_CASES = 4096


def memorise(symbols: Array, length: int, size: int, scored: str) -> Batch:
    """Batch of symbols [count, cases]: these, `length` blanks of which the last is a cue, blanks; they are the target.

    `size` is the blank, and `size + 1` the cue. Before the answer the target is the blank, or, where only the answer is
    `scored`, none (-1).
    """
    count, cases = symbols.shape
    x = np.full((2 * count + length, cases), size)
    target = np.full(x.shape, size if scored == "all" else -1)
    x[:count] = symbols
    x[-count - 1] = size + 1
    target[-count:] = symbols
    return Batch({"x": x, "target": target})


def memorisation(
    settings: Settings,
    length: int,
    count: int,
    symbols: int,
    every: bool,
    scored: str,
    steps: int,
    held: int,
    name: str,
) -> Task:
    """Remember `count` symbols over `length` steps; with `every` each batch has all cases once."""
    if every and symbols**count > MOST_CASES:
        raise UsageError(
            f"there are {symbols**count} sequences of {count} out of {symbols} symbols, too many for batches that hold "
            f"every one; leave the option every of {name} out"
        )

    def draw(rng: np.random.Generator, size: int) -> Batch:
        return memorise(rng.integers(0, symbols, (count, size)), length, symbols, scored)

    def all_of_them(rng: np.random.Generator, size: int) -> Batch:
        cases = np.stack(np.unravel_index(np.arange(symbols**count), (symbols,) * count))
        return memorise(cases, length, symbols, scored)

    inputs = {"x": Input((), symbols + 2), "target": Input((), symbols + 1)}
    measure = wrong_steps("target", 0.05) if name == "copy" else wrong_anywhere("target", 0.01)
    if not every:
        return from_draws(name, draw, settings, steps, held or measure.least, inputs=inputs, measure=measure)
    measure = replace(measure, least=symbols**count)
    judge = draw if held else all_of_them
    return from_draws(name, all_of_them, settings, steps, held or 1, judge, inputs=inputs, measure=measure)


def _memory(
    name: str, meaning: str, source: str, solved: str, count: int, symbols: int, length: int, every: bool, scored: str
) -> Kind:
    options = (
        Option("length", length, "steps between the last symbol and the first answer", 1),
        Option("count", count, "symbols to remember", 1),
        Option("symbols", symbols, "different symbols", 1),
        Option("every", every, "whether each batch holds every case once, whatever its size"),
        Option("scored", scored, "`all` steps have a target, or those of the `answer`", words=("all", "answer")),
        STEPS,
        ENOUGH,
    )
    inputs = {
        "x": "symbol of `symbols` + 2: they, a blank, a cue",
        "target": "symbol of `symbols` + 1: they, a blank",
    }
    return Kind(name, meaning, source, inputs, partial(memorisation, name=name), options, solved=solved)


_HF = "Hochreiter & Schmidhuber 1997; Martens & Sutskever 2011"
_ALL = "fewer than 1 % of the sequences wrong at any step that is scored"
KINDS = (
    Kind(
        "temporal-order",
        "classify the order of two or three symbols, each X or Y, among noise",
        "Hochreiter & Schmidhuber 1997, section 5.6; Martens & Sutskever 2011",
        {"x": "symbol of 8", "label": "symbol of 4, or of 8, at every step"},
        temporal_order,
        (
            Option("length", 100, "T: sequences have T to 1.1 T steps, just T with the layout `pascanu`", 1),
            Option("bits", 2, "symbols that count, 2 or 3", 2, 3),
            Option("layout", "martens", "the paper that defines the places of the symbols", words=tuple(ORDERS)),
            STEPS,
            HELD,
        ),
        solved="fewer than 1 % wrong at the end",
    ),
    Kind(
        "random-permutation",
        "predict the next of a sequence of random symbols, and at its end the first one",
        _HF,
        {"x": "symbol of `symbols`", "target": "symbol of `symbols`, the next one"},
        random_permutation,
        (
            Option("length", 100, "steps", 2),
            Option("symbols", 100, "different symbols; the first of a sequence is 0 or 1, all others are not", 3),
            STEPS,
            HELD,
        ),
        solved="fewer than 1 % wrong at the last step",
    ),
    _memory("memorisation-5-bits", "remember five bits, without noise", _HF, _ALL, 5, 2, 100, every=True, scored="all"),
    _memory(
        "memorisation-20-bits",
        "remember ten symbols out of five, without noise",
        _HF,
        _ALL,
        10,
        5,
        100,
        every=False,
        scored="all",
    ),
    _memory(
        "copy",
        "read five letters and give them back in their order",
        "Jozefowicz et al. 2015",
        "fewer than 5 % of the answered symbols wrong",
        5,
        26,
        1,
        every=False,
        scored="answer",
    ),
)
