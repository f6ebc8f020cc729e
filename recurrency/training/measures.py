"""By what success at a task is told, apart from the loss: the papers' "counted as wrong if", row by row.

A measure looks at the first output of a model, [T, B, K], and at its batch, and gives a number for each thing that it
counts, sequences or steps; its value is their mean, and less is better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.training.sequences import Array, Batch


@dataclass(frozen=True)
class Measure:
    """`each(outputs, batch)` is what is averaged; the task counts as solved where the mean is below `solved`.

    `reads` is the input that tells what is right. `answer` is the name that the model's first output must have, where
    its shape alone does not say what it is.
    """

    name: str
    meaning: str
    each: Callable[[Array, Batch], Array]
    solved: float | None = None
    reads: str = "target"
    answer: str | None = None

    def fits(self, model: Any) -> bool:
        """Whether a compiled model reads that input, and its first output is an answer to it."""
        port = model.inputs.get(self.reads)
        first, answer = next(iter(model.outputs.items()), ("", None))
        if port is None or answer is None or answer.clock != port.clock or self.answer not in (None, first):
            return False
        wanted = tuple(port.shape) if port.index is None else (port.index,)
        return tuple(answer.shape) == wanted

    def told(self, value: float) -> str:
        """A value in words: `wrong 0.4 % (solved)`."""
        words, mark = WORDS[self.name](value), self.solved
        if mark is None:
            return words
        bound = WORDS[self.name](mark).removeprefix(f"{self.name} ")
        return f"{words} (solved)" if value < mark else f"{words} (solved below {bound})"

    def of(self, model: Any, params: Any, stream: Iterable[Batch]) -> float:
        """The mean over all batches for a compiled model; NaN where there is none."""
        return self.mean(*self.sums(model, params, stream))

    @staticmethod
    def mean(total: float, count: float) -> float:
        """The mean of what was added up, which does not depend on how it was cut into batches."""
        return total / count if count else float("nan")

    def sums(self, model: Any, params: Any, stream: Iterable[Batch]) -> tuple[float, int]:
        """The sum of the numbers of all batches for a compiled model, and how many they are."""
        total, count = 0.0, 0
        state: Any = None
        for batch in stream:
            known = {} if batch.fresh or state is None else {"state": state}
            run = model.forward(params, batch.inputs, lengths=batch.lengths, keep=False, **known)
            state = run.state
            numbers = self.each(np.asarray(run.output), batch)
            total, count = total + float(numbers.sum()), count + numbers.size
        return total, count


WORDS: Mapping[str, Callable[[float], str]] = {
    "error": lambda value: f"error {value:.4g}",
    "wrong": lambda value: f"wrong {100 * value:.3g} %",
    "bits": lambda value: f"{value:.3f} bits a symbol, perplexity {2**value:.4g}",
}
"""How a value of a measure is told, by the name of the measure."""


def log_softmax(scores: Array) -> Array:
    """Logarithms of probabilities [B, V], of logits."""
    scores = scores - scores.max(1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(1, keepdims=True)))


def at_end(array: Array, batch: Batch, name: str) -> Array:
    """The values [B, ...] of a stream at the last step of each sequence; the input `name` runs over the same clock."""
    return np.asarray(array[batch.steps(name) - 1, np.arange(array.shape[1])])


def _real(batch: Batch, name: str) -> Array:
    """Which steps of the symbols `name` [T, B] are there to be told."""
    symbols = batch.inputs[name]
    return np.asarray((np.arange(len(symbols))[:, None] < batch.steps(name)) & (symbols >= 0))


def squared_error(name: str, solved: float) -> Measure:
    """The mean squared error of the answer at the end of each sequence."""

    def each(y: Array, batch: Batch) -> Any:
        off = at_end(y, batch, name) - at_end(batch.inputs[name], batch, name)
        return np.square(off.astype(np.float64)).sum(1)

    return Measure("error", "squared error of the last answer", each, solved, name)


def off(name: str, most: float, solved: float) -> Measure:
    """The part of the sequences whose answer at the end is off by more than `most`."""

    def each(y: Array, batch: Batch) -> Any:
        return np.abs(at_end(y, batch, name) - at_end(batch.inputs[name], batch, name)).max(1) > most

    return Measure("wrong", f"part of the sequences whose last answer is off by more than {most:g}", each, solved, name)


def wrong_side(name: str, solved: float) -> Measure:
    """The part of the sequences whose probability at the end is on the wrong side of one half."""

    def each(y: Array, batch: Batch) -> Any:
        return ((at_end(y, batch, name) > 0.5) != (at_end(batch.inputs[name], batch, name) > 0.5)).any(1)

    return Measure("wrong", "part of the sequences whose last answer is on the wrong side of 1/2", each, solved, name)


def wrong_at_end(name: str, solved: float | None = None) -> Measure:
    """The part of the sequences whose likeliest symbol at the end is another one."""

    def each(y: Array, batch: Batch) -> Any:
        return at_end(y, batch, name).argmax(-1) != at_end(batch.inputs[name], batch, name)

    return Measure(
        "wrong", "part of the sequences whose likeliest symbol at the last step is wrong", each, solved, name
    )


def wrong_anywhere(name: str, solved: float | None = None) -> Measure:
    """The part of the sequences whose likeliest symbol is another one at any step that has one."""

    def each(y: Array, batch: Batch) -> Any:
        return ((y.argmax(-1) != batch.inputs[name]) & _real(batch, name)).any(0)

    return Measure("wrong", "part of the sequences whose likeliest symbol is wrong at any step", each, solved, name)


def wrong_steps(name: str, solved: float | None = None) -> Measure:
    """The part of the steps at which the likeliest symbol is another one, of those that have one."""

    def each(y: Array, batch: Batch) -> Any:
        return (y.argmax(-1) != batch.inputs[name])[_real(batch, name)]

    return Measure("wrong", "part of the steps at which the likeliest symbol is wrong", each, solved, name)


def bits(name: str) -> Measure:
    """The negative logarithm to base 2 of the probability of each symbol, from outputs that are called `logits`."""

    def each(y: Array, batch: Batch) -> Any:
        real, symbols = _real(batch, name), batch.inputs[name]
        likely = log_softmax(y[real].astype(np.float64))
        return -likely[np.arange(len(likely)), symbols[real]] / np.log(2)

    return Measure("bits", "bits a symbol", each, None, name, "logits")
