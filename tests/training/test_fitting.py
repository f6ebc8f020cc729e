"""A task and a model are brought together: what is too much is left out, what is missing or too large is reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch, Input
from recurrency.training.loop.loop import evaluate
from recurrency.training.loop.weighing import counts
from recurrency.training.runs.fitting import fitted
from recurrency.training.tasks import TASKS, Settings, Task

BODIES = {
    "steps": "loss cross_entropy(logits, target)",
    "sequences": "loss cross_entropy(last(logits), last(target))",
    "both": "loss cross_entropy(logits, target)\n    loss cross_entropy(last(logits), last(target))",
    "penalty": "loss cross_entropy(last(logits), last(target))\n    loss 1e-3 * l2(E)",
}


def model(loss: str = "steps", V: int = 4, K: int = 3) -> Any:
    text = f"""
    cell Told[V, K](x: index[V], target: index[K]) -> (logits: [K]) {{
        param E : [V, K] ~ normal(0, 1)
        logits = embed(E, x)
        {BODIES[loss]}
    }}
    """
    return rc.parse(text).compile(dtype="float64", V=V, K=K)


LENGTHS = np.array([3, 1])


def task(**inputs: Input) -> Task:
    batch = Batch({"x": np.array([[0, 3], [1, 0], [2, 0]]), "target": np.array([[2, 1], [1, 0], [0, 0]])})
    more = {name: np.zeros((3, 2)) for name in inputs if name not in batch.inputs}
    batch = Batch({**batch.inputs, **more}, LENGTHS, fresh=False)
    known = {"x": Input((), 4), "target": Input((), 3), **inputs}
    return Task("made", lambda epoch, rng: [batch], 1, lambda: [batch], lambda: [batch], known, facts={"a": 1})


def all_of(fit: Task) -> list[Batch]:
    return [*fit.train(0, np.random.default_rng(0)), *fit.valid(), *fit.test()]


def test_lengths_of_a_clock_that_the_spec_has_not_are_left_out() -> None:
    given = task()
    batch = replace(all_of(given)[0], lengths={"t": LENGTHS, "s": LENGTHS})
    fit = fitted(replace(given, test=lambda: [batch]), model())
    (found,) = fit.test()
    assert found.lengths == {"t": LENGTHS}
    assert model().losses(model().init(seed=0), found.inputs, lengths=found.lengths) is not None


def test_inputs_that_the_spec_has_not_are_left_out() -> None:
    fit = fitted(task(other=Input(())), model())
    assert fit.facts == {"a": 1}
    assert set(fit.inputs) == {"x", "target"}
    batches = all_of(fit)
    assert len(batches) == 3
    assert all(set(batch.inputs) == {"x", "target"} and not batch.fresh for batch in batches)


WEIGHTS = {
    "steps": {"weight:0": 4},
    "sequences": {"weight:sequences:0": 2},
    "penalty": {"weight:sequences:0": 2, "once": 1},
    "both": {"weight:0": 4, "weight:sequences:1": 2},
}


@pytest.mark.parametrize("loss", BODIES)
def test_batches_are_weighed_by_what_each_line_of_the_loss_counts(loss: str) -> None:
    net = model(loss)
    batch = next(iter(fitted(task(), net).valid()))
    assert counts(net, batch) == WEIGHTS[loss]
    assert counts(net, batch, ends=False) == {k: 0 if "sequences" in k else n for k, n in WEIGHTS[loss].items()}


def test_a_mean_over_batches_is_the_mean_over_all_sequences() -> None:
    """Its sequences may be split into batches in any way."""
    net = model("sequences")
    params = net.init(0)
    (whole,) = task().valid()
    parts = [Batch({k: v[:, b : b + 1] for k, v in whole.inputs.items()}, LENGTHS[b : b + 1]) for b in (0, 1)]
    alone = Task("parts", lambda epoch, rng: parts, 2, lambda: parts, inputs=task().inputs)
    wanted = net.loss(params, whole.inputs, lengths=LENGTHS)
    assert evaluate(net, params, fitted(alone, net).valid()) == pytest.approx(wanted, rel=1e-14)


def test_a_vocabulary_may_be_smaller_than_that_of_the_spec_but_not_larger() -> None:
    assert all_of(fitted(task(), model(V=9, K=5)))
    with pytest.raises(UsageError, match="x of the task made has 4 different symbols; the spec was compiled for 3"):
        fitted(task(), model(V=3))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"x": Input((2,))}, r"x of the task made is \[2\]; the spec needs symbol of 4"),
        ({"target": Input((3,))}, r"target of the task made is \[3\]; the spec needs symbol of 3"),
        ({"x": Input((), 4, "s")}, "x of the task made runs over the clock s; in the spec it runs over t"),
    ],
)
def test_inputs_of_another_kind_are_refused(inputs: dict[str, Input], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fitted(task(**inputs), model())


def test_an_input_that_the_task_has_not_is_told() -> None:
    real = Task("made", lambda epoch, rng: [], 0, inputs={"x": Input((2,)), "label": Input((), 7)})
    with pytest.raises(
        UsageError, match=r"the spec has the input target, the task made has x \[2\], label symbol of 7"
    ):
        fitted(real, SimplePorts(target=Input(())))


class SimplePorts:
    """As much of a model as is asked for its inputs."""

    has_loss = False

    def __init__(self, **inputs: Input) -> None:
        self.inputs = inputs


def test_a_task_that_does_not_say_what_it_holds_is_left_alone() -> None:
    plain = Task("plain", lambda epoch, rng: [], 0)
    assert fitted(plain, SimplePorts(x=Input(()))) is plain


def test_sequences_over_two_clocks_are_weighed_by_that_of_the_loss() -> None:
    made = TASKS["programs"].build(Settings(batch=3))
    net = rc.library.spec("Translate").compile(
        dtype="float64", V=made.inputs["src"].index, K=made.inputs["tgt"].index, N=3, H=3
    )
    fit = next(iter(fitted(made, net).train(0, np.random.default_rng(0))))
    assert isinstance(fit.lengths, dict)
    assert counts(net, fit) == {"weight:0": fit.lengths["t"].sum()}
    assert np.isfinite(net.loss(net.init(0), fit.inputs, lengths=fit.lengths))
