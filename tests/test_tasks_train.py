"""Every task of the table trains a network with its inputs, and its measure judges what comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.training.fitting import fitted
from recurrency.training.loop import Options, train
from recurrency.training.optimisers import Adam
from recurrency.training.tasks import TASKS, Task
from tests.test_text_tasks import built

READS = {
    "numbers": "x: [N]",
    "symbols": "x: index[V]",
}
TELLS = {
    "number at the end": ("target: [1]", "[1]", "loss squared_error(last(y), last(target))"),
    "bit at the end": ("target: [1]", "[1]", "loss binary_cross_entropy(last(sigmoid(y)), last(target))"),
    "label at the end": ("label: index[K]", "[K]", "loss cross_entropy(last(y), last(label))"),
    "label": ("label: index[K]", "[K]", "loss cross_entropy(y, label)"),
    "target": ("target: index[K]", "[K]", "loss cross_entropy(y, target)"),
    "itself": ("", "[N]", "loss squared_error(y, x)"),
}


def network(reads: str, tells: str) -> str:
    """A network that reads numbers or symbols, and is told what is right in one of the ways above."""
    answer, width, loss = TELLS[tells]
    size = "N" if reads == "numbers" else "V"
    sizes = f"{size}, K, H = 4" if "K" in width else f"{size}, H = 4"
    seen = "x" if reads == "numbers" else "onehot(x)"
    seen = "x[t-1]" if tells == "itself" else seen
    return f"""
    use GRU, Linear from library

    cell Net[{sizes}]({READS[reads]}{", " if answer else ""}{answer}) -> (y: {width}) {{
        y = Linear{width}(GRU[H]({seen}))
        {loss}
    }}
    """


KINDS = {
    "addition": ("numbers", "number at the end"),
    "multiplication": ("numbers", "number at the end"),
    "xor": ("numbers", "bit at the end"),
    "temporal-order": ("symbols", "label at the end"),
    "random-permutation": ("symbols", "target"),
    "memorisation-5-bits": ("symbols", "target"),
    "memorisation-20-bits": ("symbols", "target"),
    "copy": ("symbols", "target"),
    "arithmetic": ("symbols", "target"),
    "xml": ("symbols", "target"),
    "shakespeare": ("symbols", "target"),
    "wikipedia": ("symbols", "target"),
    "ptb": ("symbols", "target"),
    "promoters": ("symbols", "label at the end"),
    "splice": ("symbols", "label at the end"),
    "mnist": ("numbers", "label at the end"),
    "speech": ("numbers", "label"),
    "omniglot": ("numbers", "itself"),
    "kanji": ("numbers", "itself"),
}
SHIPPED = {
    "first-element": "FirstElement",
    "readme-sample": "FirstElementAbsolute",
    "jsb": "Music",
    "nottingham": "Music",
    "piano-midi": "Music",
    "musedata": "Music",
    "programs": "Translate",
    "translation": "Translate",
}
QUICK: dict[str, dict[str, Any]] = {
    "mnist": {"by": "row"},
    "ptb": {"most": 30},
    "translation": {"least": 100},
    "xml": {"most": 3},
}


def sizes(task: Task, spec: Any) -> dict[str, int]:
    """The dimensions of a spec as the data have them."""
    x, label = task.inputs.get("x"), task.inputs.get("label", task.inputs.get("target"))
    known = {"N": x and sum(x.shape), "V": x and x.index, "K": label and label.index, "H": 4}
    if "src" in task.inputs:
        known = {"V": task.inputs["src"].index, "K": task.inputs["tgt"].index, "N": 3, "H": 3}
    return {d.name: known[d.name] for d in spec.cell.dimensions if known.get(d.name)}


def shortened(task: Task) -> Task:
    """One batch to learn from and to be judged by, so that the loss has to fall."""
    batch = next(iter(task.train(0, np.random.default_rng(0))))
    return replace(task, train=lambda epoch, rng: [batch], steps=1, valid=lambda: [batch], test=lambda: [batch])


def test_every_task_but_one_is_tried_here() -> None:
    assert set(TASKS) == {*KINDS, *SHIPPED, "text"}  # which is the same as shakespeare, on another file


@pytest.mark.parametrize("name", [*KINDS, *SHIPPED])
def test_a_network_trains_on_every_task(name: str) -> None:
    task = shortened(built(name, 4, **QUICK.get(name, {})))
    spec = rc.library.spec(SHIPPED[name]) if name in SHIPPED else rc.parse(network(*KINDS[name]))
    model = spec.compile(dtype="float64", **sizes(task, spec))
    task = fitted(task, model)
    history = train(model, task, Options(Adam(0.003), epochs=5))
    assert history.test is not None
    assert history.test < history.epochs[-1].train < history.epochs[0].train
    if task.measure is not None:
        value = task.measure.of(model, history.params, task.test())
        assert 0 <= value <= (1 if task.measure.name == "wrong" else np.inf)
