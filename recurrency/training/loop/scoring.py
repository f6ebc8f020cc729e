"""How good the answers of a model are, apart from the loss: what suits what its loss compares.

For classes that is the accuracy, the confusion matrix and the bits for each label, for answers of yes or no the
accuracy and the bits, for real numbers the mean squared and the mean absolute error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.roots import FINAL, WEIGHT
from recurrency.graph.types import Kind
from recurrency.model.call import LOSS, clocks_of_resets
from recurrency.passes import finished
from recurrency.training.data.sequences import Array, Batch
from recurrency.training.loop.weighing import with_next
from recurrency.training.tasks.comparisons import BITS, CLASSES, LOGITS, NUMBERS, Comparison, comparisons, target_of
from recurrency.training.tasks.measures import log_softmax

KINDS = (CLASSES, BITS, NUMBERS)
MOST_CLASSES = 1000
"""A confusion matrix has no more rows than these."""


@dataclass(frozen=True)
class Scored:
    """How good one kind of answer is: `values` by name, over `count` steps or sequences (what it `counts`).

    The values are `accuracy` (0 to 1) and `bits` (a label, or an answer of yes or no), or `mse` and `mae` (the means
    over all elements of the squared and absolute differences). `confusion` [K, K] counts how often a label (row) was
    answered with a class (column); None if there are more than `MOST_CLASSES`, or no classes. `labels` are the names of
    the classes, if they have some.
    """

    name: str
    kind: str
    counts: str
    count: int
    values: Mapping[str, float]
    confusion: Array | None = None
    labels: tuple[str, ...] = ()

    def told(self) -> str:
        """The values in words: `p: accuracy 93.1 %, 0.243 bits a label (of 160 sequences)`."""
        words = ", ".join(WORDS[name](value) for name, value in self.values.items())
        return f"{self.name}: {words} (of {self.count} {self.counts})"


WORDS: Mapping[str, Callable[[float], str]] = {
    "accuracy": lambda value: f"accuracy {100 * value:.4g} %",
    "bits": lambda value: f"{value:.4g} bits",
    "mse": lambda value: f"mean squared error {value:.4g}",
    "mae": lambda value: f"mean absolute error {value:.4g}",
}


def scored(
    model: Any,
    params: Any,
    stream: Iterable[Batch],
    kinds: Collection[str] = KINDS,
    names: Mapping[str, Sequence[str]] | None = None,
) -> list[Scored]:
    """The scores of all that the loss of a model compares, over all batches; steps that do not count are left out.

    `names` are those of the symbols of inputs, which are the names of classes.

    These are padding, labels of -1, and steps with a weight of 0 in a loss line with `where`. Of sequences that are
    read in pieces, a value for each sequence counts in the last piece.
    """
    tables: dict[str, _Table] = {}
    state: Any = {}
    judge = _Judge(model, kinds)
    for batch, ends in with_next(stream) if judge.found else ():
        values, state = judge.values(params, batch, {} if batch.fresh else state)
        for number, found in enumerate(judge.found):
            if ends or judge.steps[number]:
                labels = (names or {}).get(judge.targets[number], ())
                counts = "steps" if judge.steps[number] else "sequences"
                table = tables.setdefault(found.name, _Table(found, counts, tuple(labels)))
                TABLES[found.kind](table, *judge.chosen(number, values, batch))
    return [table.scored() for table in tables.values() if table.count]


class _Judge:
    """The program of all answers, targets and weights of a model."""

    def __init__(self, model: Any, kinds: Collection[str]) -> None:
        self.model, self.kinds = model, kinds
        whole: Graph = model.programs.elaborated.graph
        self.found = self._of(whole)
        self.types = [whole[c.said].type for c in self.found]
        self.targets = [target_of(whole, c) for c in self.found]
        self.steps = [type.kind is Kind.STREAM for type in self.types]
        self._built: dict[tuple[str, ...], Any] = {}

    def _of(self, graph: Graph) -> list[Comparison]:
        """The comparisons whose answer and target are both given for each step, or both for each sequence."""
        out = []
        for found in comparisons(graph):
            said, target = graph[found.said].type, graph[found.target].type
            if found.kind in self.kinds and said.kind is target.kind is not Kind.STATIC and said.clock == target.clock:
                out.append(found)
        return out

    def _runner(self, clocks: tuple[str, ...]) -> Any:
        if clocks not in self._built:
            programs = self.model.programs.resetting(clocks)
            whole = programs.elaborated.graph
            roots = {root: id for root, id in whole.roots.items() if FINAL.has(root)}
            for number, found in enumerate(self._of(whole)):
                named = {"said": found.said, "target": found.target, "weight": found.weight}
                roots |= {f"{name}:{number}": id for name, id in named.items() if id is not None}
            graph = finished(rebuild(whole, roots), programs.without)
            self._built[clocks] = programs.backend.build(
                graph, programs.layout, programs.dtype, "score", programs.without
            )
        return self._built[clocks]

    def values(self, params: Any, batch: Batch, state: Any) -> tuple[Mapping[str, Array], dict[str, Array]]:
        """The roots for a batch, and the states after it."""
        call = self.model.gather(params, batch.inputs, state or None, roots=LOSS, **batch.keywords)
        values = self._runner(clocks_of_resets(call))(call)
        return values, FINAL.within(values)

    def chosen(self, number: int, values: Mapping[str, Array], batch: Batch) -> tuple[Array, Array]:
        """Answers [n, *shape] and targets [n, ...] of all steps, or sequences, that count."""
        said, target = (np.asarray(values[f"{name}:{number}"]) for name in ("said", "target"))
        there = np.ones(target.shape[: 1 + self.steps[number]], bool)
        if self.steps[number]:
            clock = str(self.types[number].clock)
            name = next(name for name, port in self.model.inputs.items() if port.clock == clock)
            there = np.arange(len(said))[:, None] < batch.steps(name, clock)
            if (weight := values.get(WEIGHT.of(number))) is not None:
                there &= np.asarray(weight) > 0
        if self.found[number].kind == CLASSES:
            there &= target >= 0
        return said[there], target[there]


class _Table:
    """Sums over all batches for one comparison."""

    def __init__(self, found: Comparison, counts: str, labels: tuple[str, ...] = ()) -> None:
        self.found, self.counts, self.count, self.labels = found, counts, 0, labels
        self.sums: dict[str, float] = {}
        self.elements = 0
        self.confusion: Array | None = None

    def add(self, count: int, elements: int, **sums: Any) -> None:
        """More steps or sequences, with so many elements together."""
        self.count, self.elements = self.count + count, self.elements + elements
        self.sums = {name: self.sums.get(name, 0.0) + float(value) for name, value in sums.items()}

    def scored(self) -> Scored:
        """The means."""
        values = {name: total / max(self.elements, 1) for name, total in self.sums.items()}
        return Scored(self.found.name, self.found.kind, self.counts, self.count, values, self.confusion, self.labels)


def _classes(table: _Table, said: Array, target: Array) -> None:
    size, answers = said.shape[1], said.argmax(1)
    rows = np.arange(len(said))
    with np.errstate(divide="ignore"):
        likely = log_softmax(said.astype(np.float64))[rows, target] if len(said) else np.zeros(0)
    table.add(len(said), len(said), accuracy=(answers == target).sum(), bits=-likely.sum() / np.log(2))
    if size <= MOST_CLASSES:
        counted = np.bincount(target * size + answers, minlength=size * size).reshape(size, size)
        table.confusion = counted if table.confusion is None else table.confusion + counted


def _bits(table: _Table, said: Array, target: Array) -> None:
    said, target = said.astype(np.float64), target.astype(np.float64)
    logits = table.found.form == LOGITS
    right = (said > (0.0 if logits else 0.5)) == (target > 0.5)
    if logits:
        nats = target * np.logaddexp(0, -said) + (1 - target) * np.logaddexp(0, said)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            yes, no = (np.maximum(a, LEAST) for a in (np.log(said), np.log1p(-said)))
        nats = -(target * yes + (1 - target) * no)
    table.add(len(said), said.size, accuracy=right.sum(), bits=nats.sum() / np.log(2))


LEAST = -100.0
"""The least logarithm of a probability, as in `binary_cross_entropy`."""


def _numbers(table: _Table, said: Array, target: Array) -> None:
    off = said.astype(np.float64) - target.astype(np.float64)
    table.add(len(off), off.size, mse=(off * off).sum(), mae=np.abs(off).sum())


TABLES: Mapping[str, Callable[[_Table, Array, Array], None]] = {CLASSES: _classes, BITS: _bits, NUMBERS: _numbers}


def words(found: Iterable[Scored]) -> Iterator[str]:
    """What is reported after training: the accuracy of classes and of answers of yes or no."""
    for each in found:
        if "accuracy" in each.values:
            yield f"{each.name} {WORDS['accuracy'](each.values['accuracy'])}"
