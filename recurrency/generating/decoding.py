"""Generates sequences with a model: by sampling, greedily, or by beam search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.generating.choice import Choice, Dice
from recurrency.generating.kinds import Kind, kind_of, require_symbols
from recurrency.generating.search import Beam, search
from recurrency.generating.steps import Array, Writer
from recurrency.model.model import Model


@dataclass(frozen=True)
class Piece:
    """A generated sequence, [n] symbols or [n, *shape] numbers, and its log-probability under the model.

    For a pen the log-probability is not computed (NaN).
    """

    values: Array
    likely: float


def generate(
    model: Model,
    params: Array,
    steps: int,
    *,
    start: Any = None,
    source: Any = None,
    choice: Choice | None = None,
    beam: Beam | None = None,
    samples: int = 1,
    seed: int = 0,
    end: int | None = None,
) -> list[Piece]:
    """Generate `samples` sequences.

    A sequence continues `start` [T, *shape], which is not part of the result, for `steps` steps or up to and including
    the symbol `end`; handwriting also ends where the window is past its text. `source` [S] is the input over the other
    clock of a model with two clocks. Random numbers depend on the seed, the index of the sample and the step, so the
    first samples do not depend on how many there are. With a `beam` nothing is drawn, and the samples are the best
    sequences, best first.

    Raises:
        UsageError: the model cannot generate, or not with these options. ShapeError: an array does not fit.
    """
    writer = Writer(model, params)
    kind = kind_of(writer)
    choice = Choice() if choice is None else choice
    if steps < 1 or samples < 1:
        raise UsageError(f"steps and samples must be at least 1, not {steps} and {samples}")
    for what, there in (("an end", end is not None), ("a beam", beam is not None), ("a top", choice.top is not None)):
        if there:
            require_symbols(kind, what)
    if beam is None:
        return _drawn(writer, kind, steps, choice, samples, seed, end, (start, source))
    if samples > beam.width:
        raise UsageError(f"a beam of width {beam.width} finds at most {beam.width} sequences, not {samples}")
    (found,) = search(writer, writer.begin(1, start, source), steps, beam, end, samples)
    return [Piece(one.symbols, one.likely) for one in found[:samples]]


def _drawn(
    writer: Writer,
    kind: Kind,
    steps: int,
    choice: Choice,
    samples: int,
    seed: int,
    end: int | None,
    beginning: tuple[Any, Any],
) -> list[Piece]:
    ahead = writer.begin(samples, *beginning)
    written, likely, lengths = [], np.zeros(samples), np.full(samples, steps)
    for step in range(steps):
        if step and kind.over is not None:
            lengths = np.where(kind.over(ahead), np.minimum(lengths, step), lengths)
            if step >= lengths.max():
                break
        values, more = kind.draw(writer, ahead.outputs, choice, Dice(seed, step, samples))
        written.append(values)
        likely += np.where(step < lengths, more, 0)
        if end is not None:
            lengths = np.where((values == end) & (step < lengths), step + 1, lengths)
        if step + 1 >= lengths.max():
            break
        ahead = writer.advance(ahead, values)
    columns = np.stack(written, 1)
    return [Piece(a[:n], float(s)) for a, n, s in zip(columns, lengths, likely, strict=True)]
