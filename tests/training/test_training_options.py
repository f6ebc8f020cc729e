"""Schedules, penalties, noise on the weights, accumulation and carried states: each against its equation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.loop import Options, evaluate, train
from recurrency.training.loop.optimisers import Sgd
from recurrency.training.loop.schedules import SCHEDULES, Constant, Cosine, Exponential, Step, schedule
from recurrency.training.loop.updates import Learner
from recurrency.training.tasks import Task

CELL = """
cell Leaky[H](x: [2], target: [H]) -> (y: [H]) {
    param W : [H, 2] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state y : [H] = 0

    y = tanh(W @ x + U @ y[t-1])
    loss squared_error(y, target)
}
"""
STEPS, BATCH, H = 6, 3, 4


@pytest.fixture(scope="module")
def model() -> Any:
    return rc.parse(CELL).compile(dtype="float64", H=H)


def batch(seed: int, steps: int = STEPS, count: int = BATCH) -> Batch:
    rng = np.random.default_rng(seed)
    x, target = rng.standard_normal((steps, count, 2)), rng.standard_normal((steps, count, H))
    return Batch({"x": x, "target": target})


def task(*batches: Batch) -> Task:
    return Task("fixed", lambda epoch, rng: iter(batches), len(batches))


def moved(model: Any, options: Options, *batches: Batch) -> Any:
    """How far one epoch moves the parameters, in the direction of the gradient (rate 1)."""
    start = model.init(0)
    return start - train(model, task(*batches), options, params=start).params


def gradient(model: Any, one: Batch, params: Any = None, **rest: Any) -> Any:
    params = model.init(0) if params is None else params
    return model.loss_and_gradients(params, one.inputs, lengths=one.lengths, **rest)[1].params


SUM = {"rtol": 1e-12, "atol": 1e-14}
"""Sums of a few dozen numbers of about 1 in another order."""


# -------------------------------------------------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("given", "times", "factors"),
    [
        (Constant(), [0, 7.5], [1, 1]),
        (Constant(warmup=2), [0, 0.5, 2, 3], [0, 0.25, 1, 1]),
        (Step(decay=0.5, after=4, every=1), [0, 3.99, 4, 4.99, 5, 7], [1, 1, 0.5, 0.5, 0.25, 0.0625]),
        (Step(decay=0.5, after=5, every=0.5), [4.9, 5, 5.5, 6], [1, 0.5, 0.25, 0.125]),
        (Exponential(decay=0.9), [0, 1, 2.5], [1, 0.9, 0.9**2.5]),
        (Cosine(), [0, 5, 10], [1, 0.5, 0]),
        (Cosine(least=0.1, warmup=2), [1, 2, 6, 10], [0.5, 1, 0.55, 0.1]),
    ],
)
def test_a_schedule_is_a_factor_over_time(given: Any, times: list[float], factors: list[float]) -> None:
    np.testing.assert_allclose([given.factor(time, 10) for time in times], factors, rtol=1e-12, atol=1e-12)


def test_an_unknown_schedule_or_option_is_answered_with_the_nearest() -> None:
    assert schedule("step", decay=0.8) == Step(decay=0.8)
    with pytest.raises(UsageError, match=r"no schedule cosin; .*did you mean cosine"):
        schedule("cosin")
    with pytest.raises(UsageError, match="step has no option evry; it has warmup, decay, after, every; did you mean"):
        schedule("step", evry=1)
    assert all(schedule(name).factor(0.0, 1) <= 1 for name in SCHEDULES)


def test_the_rate_of_each_update_follows_the_schedule(model: Any) -> None:
    batches = [batch(0), batch(1)]
    options = Options(Sgd(0.1), epochs=2, schedule=Step(decay=0.5, after=0.5, every=0.5), patience=None)
    history = train(model, task(*batches), options)
    assert [e.rate for e in history.epochs] == [0.1 * 0.5, 0.1 * 0.5**3]
    params = model.init(0)
    for number, rate in enumerate([0.1, 0.05, 0.025, 0.0125]):
        params = params - rate * gradient(model, batches[number % 2], params)
    np.testing.assert_allclose(history.params, params, **SUM)


# ------------------------------------------------------------------------------------------- penalties, noise, sums


def test_penalties_are_added_to_the_gradient_and_not_to_the_loss(model: Any) -> None:
    one, start = batch(0), model.init(0)
    plain = gradient(model, one)
    l1, l2 = moved(model, Options(Sgd(1.0), epochs=1, l1=0.3), one), moved(model, Options(Sgd(1.0), 1, l2=0.3), one)
    np.testing.assert_allclose(l1, plain + 0.3 * np.sign(start), **SUM)
    np.testing.assert_allclose(l2, plain + 0.3 * start, **SUM)
    both = train(model, task(one), Options(Sgd(1.0), epochs=1, l1=0.3, l2=0.3), params=start)
    assert both.epochs[0].train == model.loss(start, one.inputs)


def test_penalties_are_clipped_with_the_gradient(model: Any) -> None:
    assert np.linalg.norm(moved(model, Options(Sgd(1.0), 1, l2=9.0, clip=0.5), batch(0))) == pytest.approx(0.5)


def test_noise_on_the_weights_is_there_for_the_gradient_alone(model: Any) -> None:
    one, options = batch(0), Options(Sgd(1.0), epochs=1, weight_noise=0.1, seed=3)
    noise = model.init(3) - train(model, task(one), options).params
    assert not np.allclose(noise, gradient(model, one, model.init(3)), atol=1e-3)
    rng = np.random.default_rng([3, 1, 1])
    np.testing.assert_allclose(
        noise, gradient(model, one, model.init(3) + 0.1 * rng.standard_normal(model.size)), **SUM
    )
    again = model.init(3) - train(model, task(one), options).params
    np.testing.assert_array_equal(noise, again)


def test_each_batch_has_noise_of_its_own(model: Any) -> None:
    learner = Learner(model, Options(Sgd(1.0), epochs=1, weight_noise=0.1, seed=3))
    first, second = (learner.noisy(model.init(3), number) for number in (1, 2))
    assert not np.isclose(first, second, atol=1e-3).all()
    batches, start = [batch(0), batch(1)], model.init(3)
    found = train(model, task(*batches), learner.options)
    for number, one in enumerate(batches, 1):
        start = start - gradient(model, one, learner.noisy(start, number))
    np.testing.assert_allclose(found.params, start, **SUM)


def test_one_update_takes_the_gradient_of_several_batches_weighed_by_their_steps(model: Any) -> None:
    batches = [batch(0), batch(1, steps=2), batch(2, count=1)]
    weights = [one.steps("x").sum() for one in batches]
    found = moved(model, Options(Sgd(1.0), epochs=1, accumulate=3), *batches)
    wanted = sum(w * gradient(model, one) for w, one in zip(weights, batches, strict=True)) / sum(weights)
    np.testing.assert_allclose(found, wanted, **SUM)
    history = train(model, task(*batches), Options(Sgd(1.0), epochs=1, accumulate=2))
    assert history.epochs[0].steps == 2, "the last group may be smaller"


# --------------------------------------------------------------------------------------------------- carried states


def chunks(whole: Batch, size: int) -> Iterator[Batch]:
    steps = len(whole.inputs["x"])
    for start in range(0, steps, size):
        inputs = {name: array[start : start + size] for name, array in whole.inputs.items()}
        yield Batch(inputs, fresh=start == 0)


def test_what_goes_on_with_a_sequence_has_the_loss_of_the_whole(model: Any) -> None:
    whole, params = batch(0), model.init(1)
    assert evaluate(model, params, chunks(whole, 2)) == pytest.approx(model.loss(params, whole.inputs), rel=1e-13)
    cut = [Batch(b.inputs) for b in chunks(whole, 2)]
    assert evaluate(model, params, cut) != pytest.approx(model.loss(params, whole.inputs), rel=1e-3)


def test_back_propagation_is_cut_where_a_batch_ends_but_states_go_on(model: Any) -> None:
    first, second = chunks(batch(0), 3)
    found = moved(model, Options(Sgd(1.0), epochs=1, accumulate=2), first, second)
    params = model.init(0)
    _, one, state = model.loss_and_gradients(params, first.inputs)
    _, two, _ = model.loss_and_gradients(params, second.inputs, state=state)
    np.testing.assert_allclose(found, (one.params + two.params) / 2, **SUM)
