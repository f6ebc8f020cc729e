"""Made-up sequences are those that the papers define: where the marks lie, what is answered, how the noise is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurrency.training.data import Array, Batch
from recurrency.training.tasks import TASKS, Settings
from recurrency.training.tasks.marks import ADDITION, MULTIPLICATION, XOR
from tests.support.generated import MANY, columns, made, spread, two_marks

# ------------------------------------------------------------------------------------------------- marks and numbers


TWO_MARKS = [("addition", "martens"), ("multiplication", "martens"), ("xor", None)]


@pytest.mark.parametrize("length", [100, 200])
@pytest.mark.parametrize("name", ["addition", "multiplication"])
def test_marks_of_addition_lie_in_the_first_tenth_and_between_it_and_the_half(name: str, length: int) -> None:
    batch = made(name, length=length)
    places, _ = two_marks(batch)
    spread(batch.steps("x"), length, length * 11 // 10 - 1)
    spread(places[:, 0], length // 100, length // 10 - 1)
    spread(places[:, 1], length // 10, length // 2 - 1)


def test_marks_of_xor_lie_in_its_first_half() -> None:
    batch = made("xor", length=200)
    places, _ = two_marks(batch)
    spread(batch.steps("x"), 100, 109)
    spread(places[:, 0], 2, 19)
    spread(places[:, 1], 30, 49)


@pytest.mark.parametrize("name", ["addition", "multiplication", "xor"])
def test_beginning_and_near_end_are_marked_by_minus_one(name: str) -> None:
    for x, _ in columns(made(name, 50), "x", "target"):
        assert np.flatnonzero(x[:, 1] == -1).tolist() == [0, len(x) - 1 - 3]
        assert set(np.unique(x[:, 1])) == {-1, 0, 1}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("addition", lambda a, b: a + b),
        ("multiplication", lambda a, b: a * b),
        ("xor", lambda a, b: float(bool(a) != bool(b))),
    ],
)
def test_the_answer_is_that_of_the_two_marked_numbers_at_every_step(name: str, answer: Any) -> None:
    batch = made(name, 200)
    _, values = two_marks(batch)
    for (_, target), (a, b) in zip(columns(batch, "x", "target"), values, strict=True):
        np.testing.assert_allclose(target, answer(a, b), rtol=1e-15)


def test_the_other_numbers_are_noise_of_the_same_kind() -> None:
    uniform = np.concatenate([x[:, 0] for x, _ in columns(made("addition", 200), "x", "target")])
    assert abs(uniform.mean() - 1 / 2) < 0.01
    assert abs(uniform.var() - 1 / 12) < 0.002
    assert 0 <= uniform.min() < 0.001 < 0.999 < uniform.max() <= 1
    bits = np.concatenate([x[:, 0] for x, _ in columns(made("xor", 200), "x", "target")])
    assert set(np.unique(bits)) == {0, 1}
    assert abs(bits.mean() - 1 / 2) < 0.02


def test_the_layout_of_1997_has_numbers_of_both_signs_and_marks_in_the_first_ten_steps_and_the_first_half() -> None:
    batch = made("addition", layout="hochreiter")
    spread(batch.steps("x"), 100, 109)
    alone = 0
    for x, target in columns(batch, "x", "target"):
        at = np.flatnonzero(x[:, 1] == 1)
        assert np.flatnonzero(x[:, 1] == -1).tolist() == [0, len(x) - 1]
        assert at[0] < 10 or len(at) == 1
        assert at[-1] < 50
        np.testing.assert_allclose(target, 0.5 + x[at, 0].sum() / 4)
        alone += len(at) == 1
    values = batch.inputs["x"][:90, :, 0]
    assert abs(values.mean()) < 0.01
    assert -1 <= values.min() < -0.99
    # The first step is one of the two in 1 of 10 cases, and in 1 of 50 of the others as the second one.
    assert abs(alone / MANY - (1 / 10 + 9 / 10 / 49)) < 0.03


def test_the_layout_of_2013_marks_earlier_and_answers_with_the_mean() -> None:
    batch = made("addition", layout="pascanu", length=200)
    places, values = two_marks(batch)
    spread(places[:, 0], 0, 19)
    spread(places[:, 1], 20, 99)
    assert batch.inputs["x"][:, :, 1].min() == 0
    np.testing.assert_allclose(batch.inputs["target"][0, :, 0], values.mean(1))
    batch = made("multiplication", layout="pascanu")
    np.testing.assert_allclose(batch.inputs["target"][0, :, 0], two_marks(batch)[1].prod(1))


def test_the_adding_problem_of_2015_has_one_mark_in_each_half_and_no_others() -> None:
    batch = made("addition", layout="le", length=60)
    places, values = two_marks(batch)
    assert batch.lengths is None
    assert batch.inputs["x"].shape == (60, MANY, 2)
    spread(places[:, 0], 0, 29)
    spread(places[:, 1], 30, 59)
    assert set(np.unique(batch.inputs["x"][:, :, 1])) == {0, 1}
    target = batch.inputs["target"]
    np.testing.assert_allclose(target, np.broadcast_to(values.sum(1)[:, None], target.shape))
    # Always to say 1 costs the variance of the sum of two uniform numbers.
    measure = ADDITION["le"].measure
    assert abs(measure.each(np.ones_like(target), batch).mean() - 2 / 12) < 0.01
    assert measure.solved == 0.002


# ----------------------------------------------------------------------------------------------------- counted as wrong


def one(**inputs: Any) -> Batch:
    return Batch({name: np.array(values) for name, values in inputs.items()}, np.array([2, 3, 3]))


@pytest.mark.parametrize("layout", [ADDITION["martens"], ADDITION["hochreiter"], MULTIPLICATION["martens"]])
def test_an_answer_that_is_off_by_more_than_4_hundredths_is_wrong(layout: Any) -> None:
    target = np.full((3, 3, 1), 0.5)
    y = np.zeros((3, 3, 1))
    y[1, 0], y[2, 1], y[2, 2] = 0.539, 0.461, 0.541  # at the last real step of each sequence
    batch = one(target=target)
    assert layout.measure.each(y, batch).tolist() == [False, False, True]


def test_squared_errors_are_those_of_the_last_step() -> None:
    y = np.zeros((3, 3, 1))
    y[1, 0], y[2, 1], y[2, 2] = 1, 3, 0
    assert ADDITION["le"].measure.each(y, one(target=np.ones((3, 3, 1)))).tolist() == [0, 4, 1]
    assert ADDITION["pascanu"].measure.each(y, one(target=np.full((3, 3, 1), 0.15))).tolist() == [True, True, False]


def test_a_probability_on_the_wrong_side_of_one_half_is_wrong() -> None:
    y = np.zeros((3, 3, 1))
    y[1, 0], y[2, 1], y[2, 2] = 0.51, 0.49, 0.49
    target = np.ones((3, 3, 1))
    target[:, 2] = 0
    assert XOR["martens"].measure.each(y, one(target=target)).tolist() == [False, True, False]


def logits(symbols: Any, size: int) -> Array:
    """Scores by which these symbols are the likeliest."""
    return np.eye(size)[np.array(symbols)] * 3 - 1


def test_symbols_are_judged_at_the_last_step_anywhere_or_at_each_step() -> None:
    batch = one(target=[[0, 1, -1], [2, 1, 0], [2, 0, 2]], label=[[1, 1, 1]] * 3)
    said = logits([[0, 1, 2], [2, 1, 0], [0, 1, 2]], 3)
    order = TASKS["temporal-order"].build(Settings()).measure
    told = TASKS["memorisation-5-bits"].build(Settings()).measure
    steps = TASKS["arithmetic"].build(Settings()).measure
    assert order is not None
    assert told is not None
    assert steps is not None
    assert order.each(said, batch).tolist() == [True, False, True]
    assert told.each(said, batch).tolist() == [False, True, False]
    assert steps.each(said, batch).tolist().count(True) == 1
    assert len(steps.each(said, batch)) == 7
