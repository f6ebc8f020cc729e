"""Measures of success at a task, apart from the loss: the papers' "counted as wrong if", row by row.

A measure reads the first output of a model, [T, B, K], and its batch, and returns a number for each item that it
counts, sequences or steps; its value is their mean, and lower is better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.sequences import Array, Batch
from recurrency.training.tasks.thresholds import threshold


@dataclass(frozen=True)
class Judged:
    """The result of a measure: the number of sequences or steps, its value, and those of the measures beside it.

    `errors` are the standard errors of the values, as means of a sample: 0 unless given.
    """

    count: int
    values: tuple[float, ...]
    errors: tuple[float, ...] = ()

    @property
    def value(self) -> float:
        """The value of the measure itself; NaN if nothing was judged."""
        return self.values[0]


@dataclass(frozen=True)
class Measure:
    """`each(outputs, batch)` is what is averaged, a number for each of what it `counts`.

    The task counts as solved where the mean is below `solved` (where that is 0: is 0), and the same holds of the
    measures `beside`, for at least `least` things that were judged. `reads` is the input that tells what is right.
    `answer` is the name that the model's first output must have, where its shape alone does not say what it is.
    `prepare(measure, model, params)` is the measure for a model, where that depends on it, or None.
    """

    name: str
    meaning: str
    each: Callable[[Array, Batch], Array]
    solved: float | None = None
    reads: str = "target"
    answer: str | None = None
    counts: str = "sequences"
    least: int = 1000
    beside: tuple[Measure, ...] = ()
    prepare: Callable[[Measure, Any, Any], Measure | None] | None = None

    def fits(self, model: Any) -> bool:
        """Whether a compiled model reads that input, and its first output is an answer to it."""
        port = model.inputs.get(self.reads)
        first, answer = next(iter(model.outputs.items()), ("", None))
        if port is None or answer is None or answer.clock != port.clock or self.answer not in (None, first):
            return False
        wanted = tuple(port.shape) if port.index is None else (port.index,)
        return tuple(answer.shape) == wanted

    def of(self, model: Any, params: Any, stream: Iterable[Batch]) -> float:
        """The mean over all batches for a compiled model; NaN where there is none, or it does not answer."""
        return self.judged(self.sums(model, params, stream)).value

    def sums(self, model: Any, params: Any, stream: Iterable[Batch]) -> Array:
        """The sums, counts and sums of squares over all batches, [measures, 3]; they can be added up before `judged`.

        Raises:
            UsageError: the measure needs whole sequences, but they are read in pieces.
        """
        own = self.prepare(self, model, params) if self.prepare else self
        measures = (own, *own.beside) if own else ()
        out = np.zeros((1 + len(self.beside), 3))
        state: Any = None
        for batch in stream if measures else ():
            if not batch.fresh and self.counts == "sequences":
                raise UsageError(f"the {self.meaning} can't be measured where sequences are read in pieces")
            known = {} if batch.fresh or state is None else {"state": state}
            run = model.forward(params, batch.inputs, keep=False, **batch.keywords, **known)
            state = run.state
            for row, measure in zip(out, measures, strict=True):
                numbers = measure.each(np.asarray(run.output), batch).astype(np.float64)
                row += numbers.sum(), numbers.size, (numbers**2).sum()
        return out

    @staticmethod
    def judged(sums: Array) -> Judged:
        """The means and their standard errors; they do not depend on the cut into batches."""
        count = int(sums[0, 1])
        if not count:
            return Judged(0, *[(float("nan"),) * len(sums)] * 2)
        means = sums[:, 0] / count
        spreads = np.sqrt(np.maximum(sums[:, 2] / count - means**2, 0) / count)
        return Judged(count, tuple(means.tolist()), tuple(spreads.tolist()))

    def holds(self, value: float) -> bool:
        """Whether a value counts as solved."""
        return self.solved is not None and (value < self.solved or value == self.solved == 0)

    def met(self, found: Judged) -> bool:
        """Whether a result meets the criterion: enough was judged, and all values count as solved."""
        values = zip((self, *self.beside), found.values, strict=True)
        return found.count >= self.least and all(measure.holds(value) for measure, value in values)

    def surely_met(self, found: Judged) -> bool:
        """Whether a result meets the criterion with a margin of two standard errors.

        So other data of the same kind meet it too: of 1000 sequences, 4 may be wrong where 1 % is the bound.
        """
        margin = tuple(value + 2 * error for value, error in zip_longest(found.values, found.errors, fillvalue=0.0))
        return self.met(replace(found, values=margin))

    def told(self, found: Judged) -> str:
        """The result in words, and whether it is solved: `wrong 0.4 % (solved)`."""
        measures = (self, *self.beside)
        words = ", ".join(WORDS[m.name](value) for m, value in zip(measures, found.values, strict=True))
        if self.solved is None:
            return words
        if self.met(found):
            return f"{words} (solved)"
        few = f", of {self.least} {self.counts} or more; these are {found.count}" if found.count < self.least else ""
        return f"{words} (solved {' and '.join([self._bound(True), *(m._bound(False) for m in self.beside)])}{few})"

    def _bound(self, alone: bool) -> str:
        assert self.solved is not None
        mark = WORDS[self.name](self.solved)
        mark = mark.removeprefix(f"{self.name} ") if alone else mark
        return f"at {mark}" if self.solved == 0 else f"below {mark}" if alone else mark.replace(" 0", " below 0", 1)


WORDS: Mapping[str, Callable[[float], str]] = {
    "error": lambda value: f"error {value:.4g}",
    "mean error": lambda value: f"mean error {value:.4g}",
    "wrong": lambda value: f"wrong {100 * value:.3g} %",
    "bits": lambda value: f"{value:.3f} bits a symbol, perplexity {2**value:.4g}",
}
"""The format of a value, by the name of the measure."""


def log_softmax(scores: Array) -> Array:
    """Logarithms of probabilities [B, V], of logits."""
    scores = scores - scores.max(1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(1, keepdims=True)))


def at_end(array: Array, batch: Batch, name: str) -> Array:
    """The values [B, ...] of a stream at the last step of each sequence; the input `name` runs over the same clock."""
    return np.asarray(array[batch.steps(name) - 1, np.arange(array.shape[1])])


def _real(batch: Batch, name: str) -> Array:
    """The steps of the symbols `name` [T, B] that have a target."""
    symbols = batch.inputs[name]
    return np.asarray((np.arange(len(symbols))[:, None] < batch.steps(name)) & (symbols >= 0))


def squared_error(name: str, solved: float) -> Measure:
    """The mean squared error of the answer at the end of each sequence."""

    def each(y: Array, batch: Batch) -> Any:
        off = at_end(y, batch, name) - at_end(batch.inputs[name], batch, name)
        return np.square(off.astype(np.float64)).sum(1)

    return Measure("error", "squared error of the last answer", each, solved, name)


def off(name: str, most: float, solved: float, **more: Any) -> Measure:
    """The fraction of sequences whose answer at the end is off by more than `most`; `more` are further fields."""

    def each(y: Array, batch: Batch) -> Any:
        return np.abs(at_end(y, batch, name) - at_end(batch.inputs[name], batch, name)).max(1) > most

    what = f"part of the sequences whose last answer is off by more than {most:g}"
    return Measure("wrong", what, each, solved, name, **more)


def mean_error(name: str, solved: float) -> Measure:
    """The mean distance of the answer at the end of each sequence."""

    def each(y: Array, batch: Batch) -> Any:
        return np.abs(at_end(y, batch, name) - at_end(batch.inputs[name], batch, name)).astype(np.float64).max(1)

    return Measure("mean error", "mean absolute error of the last answer", each, solved, name)


def sided(right: Callable[[Batch], Array], said: Callable[[Array, Batch], Array], name: str, solved: float) -> Measure:
    """The fraction of sequences whose answer `said`, [B, K], is on the wrong side of the threshold; targets are 0 or 1.

    The sides meet where the model's loss is the same for both (`thresholds`), which is 1/2 for a probability.
    """

    def at(middle: float) -> Callable[[Array, Batch], Array]:
        return lambda y, batch: np.asarray(((said(y, batch) > middle) != (right(batch) > 0.5)).any(1))

    def prepare(measure: Measure, model: Any, params: Any) -> Measure | None:
        middle = threshold(model, name, params)
        return None if middle is None else replace(measure, each=at(middle), prepare=None)

    what = "part of the sequences whose last answer is on the wrong side"
    return Measure("wrong", what, at(0.5), solved, name, prepare=prepare)


def wrong_side(name: str, solved: float) -> Measure:
    """The fraction of sequences whose answer at the end, yes or no, is wrong."""
    return sided(lambda batch: at_end(batch.inputs[name], batch, name), lambda y, b: at_end(y, b, name), name, solved)


def wrong_at_end(name: str, solved: float | None = None) -> Measure:
    """The fraction of sequences whose most likely symbol at the end is wrong."""

    def each(y: Array, batch: Batch) -> Any:
        return at_end(y, batch, name).argmax(-1) != at_end(batch.inputs[name], batch, name)

    return Measure(
        "wrong", "part of the sequences whose likeliest symbol at the last step is wrong", each, solved, name
    )


def wrong_anywhere(name: str, solved: float | None = None, **more: Any) -> Measure:
    """The fraction of sequences whose most likely symbol is wrong at any step with a target."""

    def each(y: Array, batch: Batch) -> Any:
        return ((y.argmax(-1) != batch.inputs[name]) & _real(batch, name)).any(0)

    return Measure(
        "wrong", "part of the sequences whose likeliest symbol is wrong at any step", each, solved, name, **more
    )


def wrong_steps(name: str, solved: float | None = None) -> Measure:
    """The fraction of the steps with a target at which the most likely symbol is wrong."""

    def each(y: Array, batch: Batch) -> Any:
        return (y.argmax(-1) != batch.inputs[name])[_real(batch, name)]

    what = "part of the steps at which the likeliest symbol is wrong"
    return Measure("wrong", what, each, solved, name, counts="steps")


def bits(name: str) -> Measure:
    """The negative logarithm to base 2 of the probability of each symbol, from outputs that are called `logits`."""

    def each(y: Array, batch: Batch) -> Any:
        real, symbols = _real(batch, name), batch.inputs[name]
        likely = log_softmax(y[real].astype(np.float64))
        return -likely[np.arange(len(likely)), symbols[real]] / np.log(2)

    return Measure("bits", "bits a symbol", each, None, name, "logits", "steps")
