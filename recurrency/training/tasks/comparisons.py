"""What the lines of a loss compare: the values that the model answers with, and what they ought to be.

The functions of the language mark what they take for an answer, `cross_entropy(logits, target)` its logits. Here these
marks are found in the graph, with the target beside them; a loss that is written in another way compares nothing that
could be known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.roots import OUTPUT, STREAM, WEIGHT
from recurrency.passes.loss_lines import lines
from recurrency.passes.rewriting import made_by

CLASSES, BITS, NUMBERS = "classes", "bits", "numbers"
"""Kinds of answers: scores of classes, of which one is right; scores of yes or no; real numbers."""
LOGITS, PROBABILITIES, LOGARITHMS = "logits", "probabilities", "logarithms"
"""What scores are."""


@dataclass(frozen=True)
class Comparison:
    """The nodes of an answer and of its target, of a `kind`; scores are in the `form` of logits or probabilities.

    `weight` is the node of the weights of the steps, if the line has them. `name` is the output that holds the answer,
    else a stream.
    """

    kind: str
    said: int
    target: int
    form: str = LOGITS
    weight: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Scores:
    """What an output is to a loss: scores of `classes` or `bits`, as logits, probabilities or logarithms of these.

    `target` is the input with which the loss compares them, if it is one.
    """

    kind: str
    form: str
    target: str = ""


def comparisons(graph: Graph) -> list[Comparison]:
    """All comparisons in the lines of a loss, in a graph as it was elaborated; each has another name."""
    found: list[Comparison] = []
    reader = _Reader(graph)
    for kind, ids in lines(graph).items():
        weight = graph[graph.roots[kind]].args[0] if WEIGHT.has(kind) else None
        for id in ids:
            for said, target, what, form in reader.pairs(id):
                name = reader.name(said, what, form)
                count = sum(other.name.partition(" ")[0] == name for other in found)
                name = f"{name} ({count + 1})" if count else name
                found.append(Comparison(what, said, target, form, weight, name))
    return found


def scores(graph: Graph) -> dict[str, Scores]:
    """The outputs that are scores to the loss, by name: those that it compares, or that are computed from them."""
    out: dict[str, Scores] = {}
    for found in comparisons(graph):
        for name, id in OUTPUT.within(graph.roots).items():
            form = _form(graph, id, found) if found.kind != NUMBERS else None
            if form is not None:
                out.setdefault(name, Scores(found.kind, form, target_of(graph, found)))
    return out


def target_of(graph: Graph, found: Comparison) -> str:
    """The input that an answer is compared with, "" if the target is computed."""
    whole = _whole(graph, found.target)
    return next((name for name, id in graph.sources("input").items() if id == whole), "")


def feeds(graph: Graph) -> dict[str, str]:
    """The outputs that the loss compares with an input, as real numbers, at the same step: output -> input."""
    inputs = {id: name for name, id in graph.sources("input").items()}
    out: dict[str, str] = {}
    for found in comparisons(graph):
        for name, id in OUTPUT.within(graph.roots).items():
            if found.kind == NUMBERS and found.said == id and found.target in inputs:
                out.setdefault(name, inputs[found.target])
    return out


def _form(graph: Graph, output: int, found: Comparison) -> str | None:
    """The form in which an output holds the scores of a comparison; None if it does not."""
    said, node = _whole(graph, found.said), graph[output]
    if output == said:
        return found.form
    squashes = Trait.DISTRIBUTION if found.kind == CLASSES else Trait.LOGISTIC
    if squashes in node.op.traits and node.args[0] == said and found.form == LOGITS:
        return PROBABILITIES
    if found.kind == CLASSES and made_by(graph, output, "log_softmax") and node.args[0] == said:
        return LOGARITHMS
    log = made_by(graph, said, "log")
    return PROBABILITIES if log and log.args[0] == output and Trait.DISTRIBUTION in node.op.traits else None


def _whole(graph: Graph, id: int) -> int:
    """The stream of which a value is one step, such as y of last(y); the value itself if it is none."""
    while Trait.PICKS in graph[id].op.traits:
        id = graph[id].args[0]
    return id


class _Reader:
    """Finds answers and targets below a line of the loss."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.inputs = set(graph.sources("input").values())
        self.marked = {id for root, id in graph.roots.items() if root.startswith("curvature:")}

    @cached_property
    def users(self) -> Mapping[int, list[int]]:
        """The nodes that read each node."""
        out: dict[int, list[int]] = {}
        for id in self.graph:
            for arg in dict.fromkeys(self.graph[id].args):
                out.setdefault(arg, []).append(id)
        return out

    def read_by(self, id: int, op: str) -> Iterator[tuple[int, Node]]:
        """The nodes of an operation that read a node."""
        for user in self.users.get(id, ()):
            if node := made_by(self.graph, user, op):
                yield user, node

    def pairs(self, line: int) -> Iterator[tuple[int, int, str, str]]:
        """Answer, target, kind and form of each comparison in a line."""
        needed = self.graph.needed([line])
        for said in sorted(self.marked & needed):
            for target, at, kind, form in (*self._classes(said), *self._bits(said), *self._numbers(said)):
                if at in needed and not self.inputs.isdisjoint(self.graph.needed([target])):
                    yield said, target, kind, form

    def _classes(self, said: int) -> Iterator[tuple[int, int, str, str]]:
        for scored, _ in self.read_by(said, "log_softmax"):
            for taken, node in self.read_by(scored, "take"):
                yield node.args[1], taken, CLASSES, LOGITS

    def _bits(self, said: int) -> Iterator[tuple[int, int, str, str]]:
        """From `target * softplus(-z)`, or from `target * maximum(log(p), ...)`."""
        for negative, _ in self.read_by(said, "negative"):
            for penalty, _ in self.read_by(negative, "softplus"):
                for product, node in self.read_by(penalty, "multiply"):
                    yield node.args[0], product, BITS, LOGITS
        for log, _ in self.read_by(said, "log"):
            for bounded, _ in self.read_by(log, "maximum"):
                for product, node in self.read_by(bounded, "multiply"):
                    yield node.args[0], product, BITS, PROBABILITIES

    def _numbers(self, said: int) -> Iterator[tuple[int, int, str, str]]:
        for difference, node in self.read_by(said, "subtract"):
            squared = any(other.args == (difference, difference) for _, other in self.read_by(difference, "multiply"))
            if node.args[0] == said and (squared or any(self.read_by(difference, "abs"))):
                yield node.args[1], difference, NUMBERS, LOGITS

    def name(self, said: int, kind: str, form: str) -> str:
        """The output that holds an answer, else a stream, else the operation."""
        graph, whole, found = self.graph, _whole(self.graph, said), Comparison(kind, said, said, form)
        outputs, streams = OUTPUT.within(graph.roots), STREAM.within(graph.roots)
        exact = [name for name, id in outputs.items() if id == whole]
        held = [name for name, id in outputs.items() if kind != NUMBERS and _form(graph, id, found) is not None]
        inner = [name for name, id in streams.items() if id == whole]
        return next(iter([*exact, *held, *inner, graph[whole].op.name]))


def kinds_of(model: Any) -> dict[str, Scores]:
    """The outputs of a compiled model that are scores to its loss."""
    graph: Graph = model.programs.elaborated.graph
    return scores(graph) if model.has_loss else {}
