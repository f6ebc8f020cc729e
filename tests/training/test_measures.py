"""What a run says of success: the task's own measure on the test data, where the model answers what it asks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import recurrency as rc
from recurrency.training.loop.loop import Options, train
from recurrency.training.loop.progress import History
from recurrency.training.runs.fitting import fitted
from recurrency.training.runs.metrics import Metrics, read_metrics
from recurrency.training.runs.summaries import outcome
from recurrency.training.tasks import TASKS, Settings
from recurrency.training.tasks.measures import Judged, Measure, bits, off, squared_error, wrong_at_end

ADDING = """
use GRU, Linear from library

cell Sums[N, H](x: [N], target: [1]) -> (y: [1]) {
    y = Linear[1](GRU[H](x))
    loss squared_error(last(y), last(target))
}
"""
STATES_FIRST = ADDING.replace("-> (y: [1])", "-> (h: [H], y: [1])").replace(
    "y = Linear[1](GRU[H](x))", "h = GRU[H](x)\n    y = Linear[1](h)"
)
UNTOLD = ADDING.replace(", target: [1]", "").replace("last(target)", "first(x)").replace("Linear[1]", "Linear[N]")
UNTOLD = UNTOLD.replace("(y: [1])", "(y: [N])")


def trained(text: str) -> tuple[rc.Model, History]:
    model = rc.parse(text).compile(N=2, H=4, dtype="float64")
    task = TASKS["addition"].build(Settings(batch=8), length=6, layout="le", steps=3, held=20)
    return model, train(model, fitted(task, model), Options(epochs=1))


def test_a_run_tells_the_measure_of_its_best_parameters_on_the_test_data(tmp_path: Path) -> None:
    model, history = trained(ADDING)
    task = TASKS["addition"].build(Settings(batch=8), length=6, layout="le", steps=3, held=20)
    errors = []
    for batch in task.test():
        y = model.forward(history.params, {n: batch.inputs[n] for n in model.inputs}).output
        errors += list((y[-1, :, 0] - batch.inputs["target"][-1, :, 0]) ** 2)
    assert len(errors) == 20
    assert history.measured == pytest.approx(np.mean(errors), rel=1e-12)
    few = "of 1000 sequences or more; these are 20"
    assert history.verdict == f"error {history.measured:.4g} (solved below 0.002, {few})"
    assert f", {history.verdict} (all epochs done; " in outcome(history)
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.end(history)
    metrics.close()
    (line,) = read_metrics(tmp_path / "metrics.jsonl")
    assert (line["measured"], line["judged"], line["verdict"]) == (history.measured, 20, history.verdict)
    json.dumps(line)


@pytest.mark.parametrize("text", [STATES_FIRST, UNTOLD], ids=["another output is first", "nothing is told"])
def test_a_model_that_does_not_answer_is_not_measured(text: str) -> None:
    _, history = trained(text)
    assert history.test is not None
    assert (history.measured, history.verdict) == (None, "")


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        (squared_error("target", 0.002), 0.0015, "error 0.0015 (solved)"),
        (squared_error("target", 0.002), 0.002, "error 0.002 (solved below 0.002)"),
        (off("target", 0.04, 0.01), 0.125, "wrong 12.5 % (solved below 1 %)"),
        (off("target", 0.04, 0.01), 0.0, "wrong 0 % (solved)"),
        (wrong_at_end("label"), 0.07, "wrong 7 %"),
        (bits("target"), 2.0, "2.000 bits a symbol, perplexity 4"),
    ],
)
def test_a_measure_is_told_with_its_mark(measure: Measure, value: float, words: str) -> None:
    assert measure.told(Judged(1000, (value,))) == words


TEXT = """
cell Text[V](x: index[V], target: index[V]) -> (logits: [V]) {
    param E : [V, V] ~ normal(0, 1)
    logits = embed(E, x)
    loss cross_entropy(logits, target)
}
"""


def test_bits_are_the_loss_of_logits(tmp_path: Path) -> None:
    """And of nothing else that has the shape of logits."""
    (tmp_path / "my.txt").write_text("the rain in spain stays mainly in the plain\n" * 9, encoding="utf-8")
    task = TASKS["text"].build(Settings(tmp_path / "my.txt", batch=2), chunk=7)
    size = task.inputs["x"].index
    assert any((batch.inputs["target"] < 0).any() for batch in task.test())  # these steps do not count
    for text, told in ((TEXT, True), (TEXT.replace("logits", "other"), False)):
        model = rc.parse(text).compile(V=size, dtype="float64")
        history = train(model, fitted(task, model), Options(epochs=1))
        assert history.test is not None
        assert history.measured == (pytest.approx(history.test / np.log(2), rel=1e-12) if told else None)
