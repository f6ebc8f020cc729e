"""Every task of the table trains a network with its inputs, and its measure judges what comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.training.loop.loop import Options, train
from recurrency.training.loop.optimisers import Adam
from recurrency.training.runs.fitting import fitted
from recurrency.training.tasks import TASKS, Task
from tests.training.test_text_tasks import built

CELLS = {
    "first-element": "FirstElement",
    "readme-sample": "FirstElementAbsolute",
    "addition": "Adding",
    "multiplication": "Adding",
    "xor": "BinaryClassifier",
    "temporal-order": "SymbolClassifier",
    "promoters": "SymbolClassifier",
    "splice": "SymbolClassifier",
    "mnist": "Classifier",
    "speech": "FrameClassifier",
    "omniglot": "Strokes",
    "kanji": "Strokes",
    "hershey": "Strokes",
    **dict.fromkeys(("random-permutation", "memorisation-5-bits", "memorisation-20-bits", "copy"), "LanguageModel"),
    **dict.fromkeys(("arithmetic", "xml", "ptb"), "LanguageModel"),
    **dict.fromkeys(("shakespeare", "wikipedia"), "CharacterModel"),
    **dict.fromkeys(("jsb", "nottingham", "piano-midi", "musedata"), "Music"),
    "programs": "EncoderDecoder",
    "translation": "BahdanauAttention",
}
"""A shipped cell for each task."""
QUICK: dict[str, dict[str, Any]] = {
    "mnist": {"by": "row"},
    "ptb": {"most": 30},
    "translation": {"least": 100},
    "xml": {"most": 3},
}


READ, TOLD = ("x", "src"), ("label", "target", "tgt")
"""Names of what is read, and of what is right."""


def sizes(task: Task, spec: Any) -> dict[str, int]:
    """The dimensions of a spec as the data have them."""
    x, label = (next((task.inputs[n] for n in names if n in task.inputs), None) for names in (READ, TOLD))
    numbers = label and sum(label.shape)
    known = {"N": x and sum(x.shape), "V": x and x.index, "K": numbers or (label and label.index), "H": 4, "M": 3}
    return {d.name: known[d.name] for d in spec.cell.dimensions if known.get(d.name)}


def shortened(task: Task) -> Task:
    """One batch to learn from and to be judged by, so that the loss has to fall."""
    batch = next(iter(task.train(0, np.random.default_rng(0))))
    return replace(task, train=lambda epoch, rng: [batch], steps=1, valid=lambda: [batch], test=lambda: [batch])


def test_every_task_but_one_is_tried_here() -> None:
    assert set(TASKS) == {*CELLS, "text"}  # which is the same as shakespeare, on another file


@pytest.mark.parametrize("name", CELLS)
def test_a_shipped_cell_trains_on_every_task(name: str) -> None:
    task = shortened(built(name, 4, **QUICK.get(name, {})))
    spec = rc.library.spec(CELLS[name])
    model = spec.compile(dtype="float64", **sizes(task, spec))
    task = fitted(task, model)
    history = train(model, task, Options(Adam(0.003), epochs=5))
    assert history.test is not None
    assert history.test < history.epochs[-1].train < history.epochs[0].train
    if task.measure is not None:
        value = task.measure.of(model, history.params, task.test())
        assert 0 <= value <= (1 if task.measure.name == "wrong" else np.inf)
