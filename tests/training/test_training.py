"""What training promises: seeds decide everything, the best parameters are kept, and nothing goes wrong in silence.

The loop knows a model only by its few methods, so most of these tests use a model written by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.loop import DivergedError, Options, Silent, evaluate, train
from recurrency.training.loop.optimisers import Adam, Sgd
from recurrency.training.runs.summaries import outcome
from recurrency.training.tasks import Task
from tests.support.training import FirstBit, Scripted, bits


def one_judge() -> Task:
    """A task with a single batch to validate on and none to test on, so that a script can list the losses."""
    task = bits(steps=2)
    judge = next(iter(task.valid()))
    return Task("scripted", task.train, 2, lambda: [judge])


# ------------------------------------------------------------------------------------------------------------- loop


def test_training_learns() -> None:
    history = train(FirstBit(), bits(), Options(Adam(0.05), epochs=60))
    assert history.epochs[0].train > 0.3
    assert history.epochs[-1].train < 0.01
    assert history.best_valid is not None
    assert history.test == pytest.approx(history.best_valid, abs=0.01)
    assert history.stopped == "all epochs done"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_keep_the_type_of_the_model(dtype: str) -> None:
    assert train(FirstBit(dtype=dtype), bits(), Options(epochs=2)).params.dtype == dtype


def test_everything_follows_from_the_seed() -> None:
    runs = [train(FirstBit(), bits(), Options(epochs=3, seed=seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].params, runs[1].params)
    assert [e.train for e in runs[0].epochs] == [e.train for e in runs[1].epochs]
    assert not np.array_equal(runs[0].params, runs[2].params)


def test_the_noise_inside_a_model_has_another_seed_at_every_step() -> None:
    models = [FirstBit(), FirstBit()]
    for seed, model in enumerate(models):
        train(model, bits(), Options(epochs=3, seed=seed))
    seeds = models[0].seeds + models[1].seeds
    assert len(seeds) == len(set(seeds)) == 24


def test_given_parameters_are_the_start_and_stay_as_they_were() -> None:
    start = np.zeros(6)
    start[0] = 1
    history = train(FirstBit(), bits(), Options(Sgd(0.01), epochs=1), params=start)
    assert history.epochs[0].train == 0
    train(FirstBit(), bits(), Options(Sgd(0.01), epochs=1, seed=1), params=np.zeros(6))
    np.testing.assert_array_equal(start, [1, 0, 0, 0, 0, 0])


def test_the_best_parameters_are_kept_and_patience_ends() -> None:
    model = Scripted([5, 3, 4, 3.5, 3.2, 0])
    history = train(model, one_judge(), Options(Sgd(0.1), epochs=99, patience=3))
    assert [e.valid for e in history.epochs] == [5, 3, 4, 3.5, 3.2]
    assert (history.best_epoch, history.best_valid) == (1, 3)
    np.testing.assert_array_equal(history.params, model.seen[1])
    assert history.stopped == "no better validation loss in 3 epochs"


def test_without_patience_all_epochs_are_done() -> None:
    history = train(Scripted([1, *[2] * 9]), one_judge(), Options(epochs=10, patience=None))
    assert len(history.epochs) == 10


def test_without_validation_the_last_parameters_are_kept() -> None:
    task = Task("plain", bits().train, 4)
    history = train(FirstBit(), task, Options(Adam(0.05), epochs=3, patience=1))
    assert len(history.epochs) == 3
    assert history.best_valid is None
    assert history.test is None
    assert history.best_epoch == 2


def test_the_rate_shrinks_after_an_epoch_without_a_better_loss() -> None:
    history = train(Scripted([5, 6, 4, 4, 4]), one_judge(), Options(Sgd(0.8), epochs=5, shrink=0.5))
    assert [e.rate for e in history.epochs] == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_the_rate_is_halved_once_in_an_epoch_with_gradients_that_are_too_long() -> None:
    """A gradient that is a sum over six bits has the length sqrt(6), before it is clipped."""
    for norm, rates in ((2.4, [0.1, 0.05]), (2.5, [0.2, 0.2])):
        options = Options(Sgd(0.2), epochs=2, clip=1e-9, halve_above=norm)
        history = train(Scripted([]), Task("two steps", bits(2).train, 2), options)
        assert [e.rate for e in history.epochs] == rates


def test_long_gradients_are_scaled_down_before_the_step() -> None:
    start = np.zeros(6)
    task = Task("one step", bits(1).train, 1)
    history = train(Scripted([]), task, Options(Sgd(1.0), epochs=1, clip=0.5), params=start)
    assert np.linalg.norm(history.params) == pytest.approx(0.5)
    assert history.epochs[0].norm == pytest.approx(np.sqrt(6))


def test_large_elements_are_cut_before_the_step() -> None:
    task = Task("one step", bits(1).train, 1)
    history = train(Scripted([]), task, Options(Sgd(1.0), epochs=1, clip_value=0.25), params=np.zeros(6))
    np.testing.assert_allclose(history.params, -0.25)
    assert history.epochs[0].norm == pytest.approx(np.sqrt(6)), "the length before any of them is cut"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_names_the_step(bad: float) -> None:
    model = Scripted([1.0], [1, 1, 1, bad])
    with pytest.raises(DivergedError, match=rf"the loss is {bad} at step 4 \(epoch 1\); try a lower rate") as caught:
        train(model, one_judge(), Options(epochs=9))
    assert len(caught.value.history.epochs) == 1


def test_a_gradient_that_is_no_number_stops_before_it_does_harm() -> None:
    model = FirstBit()
    start = np.full(6, 1e200)
    with np.errstate(over="ignore"), pytest.raises(DivergedError, match="at step 1"):
        train(model, bits(), Options(epochs=1), params=start)


class Impatient(Silent):
    """Interrupts at a step."""

    def __init__(self, last: int) -> None:
        self.last = last

    def step(self, epoch: int, step: int, loss: float, facts: Any) -> None:
        if step == self.last:
            raise KeyboardInterrupt


def test_an_interrupt_ends_training_with_the_best_so_far() -> None:
    history = train(FirstBit(), bits(), Options(epochs=99), Impatient(5))
    assert history.stopped == "interrupted"
    assert len(history.epochs) == 1
    assert history.test is not None


def test_weights_that_are_as_they_began_are_not_judged() -> None:
    history = train(FirstBit(), bits(), Options(epochs=99), Impatient(2))
    assert (history.epochs, history.test, history.verdict) == ([], None, "")
    assert outcome(history).startswith("no epoch has ended (interrupted;")


def test_a_mean_over_batches_is_weighed() -> None:
    batches = [Batch({"x": np.zeros((2, 3, 1))}), Batch({"x": np.zeros((5, 1, 1))})]
    assert evaluate(Scripted([2.0, 6.0]), np.zeros(6), batches) == 3.0
    assert evaluate(Scripted([]), np.zeros(6), []) is None


def test_a_model_without_loss_is_refused() -> None:
    model = FirstBit()
    model.has_loss = False
    with pytest.raises(UsageError, match="no `loss` line"):
        train(model, bits())


def test_a_batch_first_model_is_refused() -> None:
    model = FirstBit()
    model.batch_first = True
    with pytest.raises(UsageError, match="without batch_first"):
        train(model, bits())


def test_a_task_without_batches_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to learn from"):
        train(FirstBit(), Task("empty", lambda epoch, rng: (), 0))
