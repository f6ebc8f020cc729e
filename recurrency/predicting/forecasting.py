"""Free-running forecasts: a model of real numbers goes on from the end of its data, reading its own outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.graph import Graph
from recurrency.graph.roots import OUTPUT
from recurrency.graph.types import Kind
from recurrency.predicting.data import groups
from recurrency.predicting.outputs import BATCH, completed, with_scores
from recurrency.predicting.predictions import Predictions
from recurrency.training.data.sequences import Array, Batch, Sequences
from recurrency.training.tasks.comparisons import feeds as compared
from recurrency.training.tasks.comparisons import kinds_of

Feed = Mapping[str, str]
"""Which output feeds which input."""


def feed_of(model: Any, given: Feed | None = None) -> dict[str, str]:
    """Which output feeds which input: output -> input.

    Unless it is `given`, an output feeds the input with which the loss compares it; else the only output feeds the only
    input, if their shapes agree.

    Raises:
        UsageError: it can't be known, an input is left without an output, a name is unknown, shapes differ, symbols or
            scores are fed, or the model can't be run step by step.
    """
    if model.over_steps:
        raise UsageError(f"{model.spec.name} can't forecast: {model.over_steps}")
    inputs = [name for name in model.reads("output") if name in _read(model)]
    if not inputs:
        raise UsageError(f"{model.spec.name} can't forecast: its outputs read no input")
    feed = dict(given) if given else _found(model, inputs)
    for output, name in feed.items():
        _check(model, output, name)
    if len(set(feed.values())) < len(feed):
        raise UsageError("two outputs feed one input; name one output for each input with --feed OUTPUT=INPUT")
    left = [name for name in inputs if name not in feed.values()]
    if left:
        raise UsageError(
            f"a forecast needs an output for each input, and {', '.join(left)} has none: name it with --feed "
            f"OUTPUT={left[0]}; the outputs are {', '.join(model.outputs)}"
        )
    return feed


def _graph(model: Any) -> Graph:
    graph: Graph = model.programs.elaborated.graph
    return graph


def _read(model: Any, late: bool = True, outputs: Collection[str] | None = None) -> set[str]:
    """The inputs that the outputs, or some of them, read; without `late`, at the same step."""
    graph = _graph(model)
    wanted = [id for name, id in OUTPUT.within(graph.roots).items() if outputs is None or name in outputs]
    needed = graph.needed(wanted, late)
    return {name for name, id in graph.sources("input").items() if id in needed}


def _found(model: Any, inputs: list[str]) -> dict[str, str]:
    same = {output: name for output, name in compared(_graph(model)).items() if name in inputs}
    found = {output: name for output, name in same.items() if name not in _read(model, False, [output])}
    if set(found.values()) == set(inputs):
        return found
    scores = kinds_of(model)
    real = [name for name, port in model.outputs.items() if port.index is None and name not in scores]
    one = len(inputs) == 1 and len(real) == 1 and real[0] not in same
    if one and model.outputs[real[0]].shape == model.inputs[inputs[0]].shape:
        return {real[0]: inputs[0]}
    if not real:
        raise UsageError(
            f"{model.spec.name} can't forecast: its outputs {', '.join(model.outputs)} are no numbers but symbols or "
            "scores; `recurrency generate` draws from these"
        )
    raise UsageError(
        f"say which output feeds which input with --feed OUTPUT=INPUT: the outputs are {_told(model.outputs, real)}, "
        f"the inputs that they read {_told(model.inputs, inputs)}"
    )


def in_order(model: Any, feed: Feed) -> list[str]:
    """The outputs that say their input at the same step, in the order in which they can be computed.

    These are the outputs that the loss compares with their input at the same step and that don't read it there; where
    the loss says nothing, those whose input no output reads at the same step. All others say their input one step
    earlier.

    Raises:
        UsageError: they read the inputs of one another at the same step.
    """
    same, now = compared(_graph(model)), _read(model, False)
    left = {}
    for output, name in feed.items():
        own = _read(model, False, [output])
        if name not in (own if same.get(output) == name else now):
            left[output] = own
    order: list[str] = []
    while left:
        ready = [output for output, own in left.items() if not own & {feed[other] for other in left}]
        if not ready:
            raise UsageError(f"{model.spec.name} can't forecast: {', '.join(left)} read the inputs of one another")
        order += ready
        left = {output: own for output, own in left.items() if output not in ready}
    return order


def _told(ports: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {list(ports[name].shape)}" for name in names)


def _check(model: Any, output: str, name: str) -> None:
    for what, key, table in (("output", output, model.outputs), ("input", name, model.inputs)):
        if key not in table:
            hint = nearest_hint(key, list(table))
            raise UsageError(f"{model.spec.name} has no {what} {key}; it has {', '.join(table)}{hint}")
    out, port = model.outputs[output], model.inputs[name]
    if out.kind is not Kind.STREAM or out.clock != port.clock:
        raise UsageError(f"the output {output} is not given for each step of the input {name}, so it can't feed it")
    if out.index is not None or port.index is not None or output in kinds_of(model):
        raise UsageError(
            f"the output {output} can't feed the input {name}: these are symbols or scores, and not real numbers; "
            "`recurrency generate` draws from them"
        )
    if out.shape != port.shape:
        raise UsageError(f"the output {output} is {list(out.shape)}, the input {name} is {list(port.shape)}")


def forecast(model: Any, params: Array, data: Sequences, steps: int, feed: Feed, seed: int) -> Predictions:
    """The inputs at the next `steps` steps behind each sequence, as the outputs say them: by the names of the outputs.

    `in_order` says which of them are of the same step, and which are of the step before.
    """
    rows: dict[str, dict[int, Array]] = {name: {} for name in feed}
    ahead = _Ahead(model, params, feed, seed)
    for chosen, batch in groups(data, BATCH, model.dtype):
        for name, array in ahead.run(batch, steps).items():
            for column, number in enumerate(chosen):
                rows[name][int(number)] = np.array(array[:, column])
    values = {name: [found[number] for number in range(len(data))] for name, found in rows.items()}
    clock = model.clock
    return with_scores(values, dict.fromkeys(values, clock), data, {}, tuple(values), _ends(data, clock))


def _ends(data: Sequences, clock: str) -> list[int]:
    """The number of the step behind each sequence."""
    first = np.array(data.first or [0] * len(data))
    return list(first + data.lengths(clock))


class _Ahead:
    """A model that reads its own outputs."""

    def __init__(self, model: Any, params: Array, feed: Feed, seed: int) -> None:
        self.model, self.params, self.feed, self.seed = model, params, feed, seed
        self.same = in_order(model, feed)

    def run(self, batch: Batch, steps: int) -> dict[str, Array]:
        """The forecasts [steps, B, *shape] of a batch."""
        model, size = self.model, batch.size
        run = model.forward(self.params, completed(model, batch), seed=self.seed, keep=False, **batch.keywords)
        last = batch.steps(next(iter(batch.inputs)), model.clock) - 1
        said = {name: np.asarray(run.outputs[name])[last, np.arange(size)] for name in self.feed}
        state, out = run.state, []
        for _ in range(steps):
            said = {name: array for name, array in said.items() if name not in self.same}
            for name in self.same:
                now, _ = self._step(size, said, state)
                said[name] = now[name]
            out.append(said)
            said, state = self._step(size, said, state)
        return {name: np.stack([each[name] for each in out]) for name in self.feed}

    def _step(self, size: int, said: Mapping[str, Array], state: Any) -> tuple[dict[str, Array], Any]:
        """Outputs and states after one step that reads these outputs; all other inputs are zero."""
        real = self.model.real
        inputs = {name: np.zeros((size, *p.shape), p.dtype(real)) for name, p in self.model.inputs.items()}
        inputs |= {self.feed[name]: np.asarray(array) for name, array in said.items()}
        outputs, state = self.model.step(self.params, inputs, state, seed=self.seed)
        return {name: np.asarray(outputs[name]) for name in self.feed}, state
