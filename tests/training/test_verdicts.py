"""When a task counts as solved: how many sequences that takes, and on which side an answer is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.marks import ADDITION
from recurrency.training.tasks.measures import Judged, off, wrong_side
from recurrency.training.tasks.thresholds import threshold

DRAWN = [name for name, kind in TASKS.items() if {"steps", "held"} <= {option.name for option in kind.options}]


# ---------------------------------------------------------------------------------------------------------- verdicts


def test_the_addition_of_1997_is_solved_where_2000_are_right_and_the_mean_error_is_small() -> None:
    told = ADDITION["hochreiter"].measure.told
    rule = "solved at 0 % and mean error below 0.01"
    assert told(Judged(2000, (0.0, 0.009))) == "wrong 0 %, mean error 0.009 (solved)"
    assert told(Judged(2000, (0.0, 0.011))) == f"wrong 0 %, mean error 0.011 ({rule})"
    assert told(Judged(5000, (1 / 5000, 0.001))) == f"wrong 0.02 %, mean error 0.001 ({rule})"
    few = ", of 2000 sequences or more; these are 10"
    assert told(Judged(10, (0.0, 0.001))) == f"wrong 0 %, mean error 0.001 ({rule}{few})"


def test_the_measures_of_1997_are_those_of_the_last_answers() -> None:
    target = np.full((3, 4, 1), 0.5)
    y = target.copy()
    y[-1, :, 0] += [0.03, -0.03, 0.05, 0.0]

    class Said:
        def forward(self, params: Any, inputs: Any, **how: Any) -> Any:
            return type("", (), {"output": inputs["y"], "state": {}})

    measure = ADDITION["hochreiter"].measure
    batches = Batch({"target": target, "y": y})
    found = measure.judged(measure.sums(Said(), None, [batches.part(slice(0, 3)), batches.part(slice(3, 4))]))
    assert found.count == 4
    assert found.values == pytest.approx((0.25, 0.11 / 4))
    assert found.errors == pytest.approx((np.std([0, 0, 1, 0]) / 2, np.std([0.03, 0.03, 0.05, 0]) / 2))


@pytest.mark.parametrize(("wrong", "surely"), [(4, True), (5, True), (6, False), (9, False), (10, False)])
def test_a_task_is_surely_solved_only_where_other_data_would_be_solved_too(wrong: int, surely: bool) -> None:
    """Of 1000 drawn sequences 10 are the bound; with 6 wrong ones others of the same kind may have more than 10."""
    measure = off("target", 0.04, 0.01)
    found = measure.judged(np.array([[wrong, 1000, wrong]], float))
    assert measure.surely_met(found) == surely
    assert measure.met(found) == (wrong < 10)
    assert surely == (wrong / 1000 + 2 * np.sqrt(wrong / 1000 * (1 - wrong / 1000) / 1000) < 0.01)


@pytest.mark.parametrize("name", DRAWN)
def test_every_verdict_needs_a_number_that_the_task_has_by_itself(name: str) -> None:
    task = TASKS[name].build(Settings(batch=500))
    if task.measure is None or task.measure.solved is None:
        return
    count = sum(len(task.measure.each(_right(batch, task), batch)) for batch in task.test())
    assert count >= task.measure.least
    best = tuple(0.0 for _ in (task.measure, *task.measure.beside))
    assert task.measure.told(Judged(count, best)).endswith("(solved)")
    few = task.measure.told(Judged(task.measure.least - 1, best))
    assert few.endswith(f" or more; these are {task.measure.least - 1})")


def _right(batch: Batch, task: Task) -> Any:
    assert task.measure is not None
    right, port = batch.inputs[task.measure.reads], task.inputs[task.measure.reads]
    return right if port.index is None else np.eye(port.index)[np.maximum(right, 0)]


# -------------------------------------------------------------------------------------------------------- thresholds

SIDED = """
cell Sided(x: [2], target: [1]) -> ({output}: [1]) {{
    param W : [1, 2] ~ constant(0.7)

    state h : [1] = 0

    h = tanh(W @ x + h[t-1])
    z = 3 * h
    p = sigmoid(z)
    loss 0.1 * l2(W)
    loss l2(h)
    loss {loss}
}}
"""
LOSSES = {
    ("p", "binary_cross_entropy(last(p), last(target))"): 0.5,
    ("p", "binary_cross_entropy(p, target)"): 0.5,
    ("p", "squared_error(last(p), first(target))"): 0.5,
    ("z", "binary_cross_entropy(sigmoid(last(z)), last(target))"): 0.0,
    ("z", "binary_cross_entropy(last(p), last(target))"): 0.0,
    ("z", "squared_error(last(p), last(target))"): 0.0,
    ("z", "squared_error(last(z), last(target))"): 0.5,
    ("z", "absolute_error(last(z), last(target))"): 0.5,
    ("z", "squared_error(last(z), 4 * last(target) - 1)"): 1.0,
    ("z", "squared_error(tanh(last(z)), 2 * last(target) - 1)"): 0.0,
    ("z", "sum(relu(1 - (2 * last(target) - 1) * last(z)))"): 0.0,
    ("z", "sum(softplus(last(z)) - last(target) * last(z))"): 0.0,
    ("h", "binary_cross_entropy(sigmoid(5 * last(h) - 2), last(target))"): 0.4,
}


@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_the_sides_of_an_answer_meet_where_the_loss_says(output: str, loss: str) -> None:
    model = rc.parse(SIDED.format(output=output, loss=loss)).compile(dtype="float64", backend="numpy")
    params, middle = model.init(0), LOSSES[output, loss]
    assert threshold(model, "target", params) == pytest.approx(middle, abs=1e-9)
    x = np.random.default_rng(0).normal(size=(4, 40, 2))
    said = model.forward(params, {"x": x, "target": np.zeros((4, 40, 1))}).output[-1]
    assert 5 < int((said > middle).sum()) < 35
    assert middle == 0.5 or ((said > middle) != (said > 0.5)).any(), "another middle is another answer"
    right = np.broadcast_to(said > middle, (4, 40, 1)).astype(float)
    measure = wrong_side("target", 0.01)
    assert measure.of(model, params, [Batch({"x": x, "target": right})]) == 0
    assert measure.of(model, params, [Batch({"x": x, "target": 1 - right})]) == 1


@pytest.mark.parametrize("cell", ["FirstElement", "FirstElementAbsolute"])
def test_the_first_element_is_judged_by_the_loss_of_its_cell(cell: str) -> None:
    model = rc.library.spec(cell).compile(H=3, backend="numpy")
    assert threshold(model, "x", model.init(0)) == pytest.approx(0.5)


@pytest.mark.parametrize("loss", ["l2(last(z))", "squared_error(last(h), last(target))"])
def test_an_output_that_the_loss_does_not_read_is_not_measured(loss: str) -> None:
    model = rc.parse(SIDED.format(output="p", loss=loss)).compile(dtype="float64", backend="numpy")
    assert threshold(model, "target", model.init(0)) is None
    x = np.zeros((2, 3, 2))
    found = wrong_side("target", 0.01).sums(model, model.init(0), [Batch({"x": x, "target": x[:, :, :1]})])
    assert found[0, 1] == 0


def test_whole_sequences_are_not_measured_in_pieces() -> None:
    model = rc.library.spec("BinaryClassifier").compile(N=2, K=1, H=2, backend="numpy")
    batch = Batch({"x": np.zeros((2, 3, 2)), "target": np.zeros((2, 3, 1))})
    with pytest.raises(UsageError, match="can't be measured where sequences are read in pieces"):
        wrong_side("target", 0.01).sums(model, model.init(0), [batch, replace(batch, fresh=False)])
