"""What the initialisers promise: their distributions, their refusals, and draws that depend on seed and name alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.language.vocabulary.drawing import fans
from recurrency.language.vocabulary.initialisers import INITIALISERS, draw, generator, initial_values


@dataclass(frozen=True)
class Parameter:
    name: str
    shape: tuple[int, ...]
    initialiser: tuple[str, tuple[float, ...]]


def rng() -> np.random.Generator:
    return generator(0, "test")


ARGUMENTS = {
    "constant": (2.5,),
    "uniform": (0.08,),
    "between": (-7.0, -2.0),
    "normal": (1.0, 0.1),
    "sparse": (15.0, 0.5),
    "bernoulli": (0.3,),
    "spectral": (0.9,),
    "chrono": (50.0, 1.0),
    "hippo": (0.0,),
}


def test_the_table_holds_the_initialisers_of_the_language() -> None:
    words = (
        "zeros ones constant uniform between normal glorot_uniform glorot_normal he_uniform he_normal "
        "lecun_uniform lecun_normal standard_uniform orthogonal identity sparse "
        "bernoulli spectral chrono hippo dirac"
    )
    assert list(INITIALISERS) == words.split()
    assert all(row.meaning for row in INITIALISERS.values())


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_draws_a_float64_array_of_the_shape(name: str) -> None:
    value = draw(name, ARGUMENTS.get(name, ()), (20, 20), rng())
    assert value.shape == (20, 20)
    assert value.dtype == np.float64
    assert np.isfinite(value).all()


@pytest.mark.parametrize("name", ["zeros", "ones", "constant", "uniform", "between", "normal"])
def test_a_scalar_is_an_array_without_dimensions(name: str) -> None:
    assert draw(name, ARGUMENTS.get(name, ()), (), rng()).shape == ()


def test_constants_are_what_they_say() -> None:
    assert (draw("zeros", (), (3,), rng()) == 0).all()
    assert (draw("ones", (), (3,), rng()) == 1).all()
    assert (draw("constant", (2.5,), (3,), rng()) == 2.5).all()
    np.testing.assert_array_equal(draw("identity", (0.01,), (3, 3), rng()), 0.01 * np.eye(3))


OUT, IN = 300, 200
BOUNDS = {
    "glorot_uniform": math.sqrt(6 / (OUT + IN)),
    "he_uniform": math.sqrt(6 / IN),
    "lecun_uniform": math.sqrt(3 / IN),
    "standard_uniform": math.sqrt(1 / IN),
}
DEVIATIONS = {
    "glorot_normal": math.sqrt(2 / (OUT + IN)),
    "he_normal": math.sqrt(2 / IN),
    "lecun_normal": math.sqrt(1 / IN),
}


@pytest.mark.parametrize(("name", "bound"), [*BOUNDS.items(), ("uniform", 0.08)])
def test_uniform_draws_fill_their_interval(name: str, bound: float) -> None:
    value = draw(name, ARGUMENTS.get(name, ()), (OUT, IN), rng())
    assert abs(value).max() <= bound
    assert abs(value).max() > 0.999 * bound
    assert value.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert value.mean() == pytest.approx(0, abs=0.01 * bound)


@pytest.mark.parametrize(("name", "deviation"), DEVIATIONS.items())
def test_normal_draws_have_the_variance_of_their_paper(name: str, deviation: float) -> None:
    value = draw(name, (), (OUT, IN), rng())
    assert value.std() == pytest.approx(deviation, rel=0.01)
    assert value.mean() == pytest.approx(0, abs=0.02 * deviation)
    assert abs(value).max() > 3 * deviation


def test_between_fills_the_interval_that_it_names() -> None:
    value = draw("between", (-7.0, -2.0), (OUT, IN), rng())
    assert -7 <= value.min() < -6.999 < -2.001 < value.max() <= -2
    assert value.mean() == pytest.approx(-4.5, abs=0.02)
    assert value.std() == pytest.approx(5 / math.sqrt(12), rel=0.01)


def test_normal_has_mean_and_deviation() -> None:
    value = draw("normal", (1.0, 0.1), (OUT, IN), rng())
    assert value.mean() == pytest.approx(1.0, abs=0.002)
    assert value.std() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("shape", [(8, 8), (12, 5), (5, 12), (1, 6)])
def test_orthogonal_draws_have_orthonormal_rows_or_columns_times_the_gain(shape: tuple[int, int]) -> None:
    value = draw("orthogonal", (1.5,), shape, rng())
    product = value @ value.T if shape[0] <= shape[1] else value.T @ value
    np.testing.assert_allclose(product, 1.5**2 * np.eye(min(shape)), atol=1e-12)


def test_orthogonal_draws_favour_no_sign() -> None:
    corners = [draw("orthogonal", (), (2, 2), generator(seed, "U"))[0, 0] for seed in range(400)]
    assert np.mean(corners) == pytest.approx(0, abs=0.12)


def test_sparse_gives_every_unit_exactly_k_weights() -> None:
    value = draw("sparse", (15, 0.5), (400, 50), rng())
    assert ((value != 0).sum(axis=1) == 15).all()
    assert value[value != 0].std() == pytest.approx(0.5, rel=0.03)


def test_sparse_keeps_all_weights_of_a_unit_with_fewer_than_k_inputs() -> None:
    assert (draw("sparse", (15, 0.5), (4, 2), rng()) != 0).all()


def test_a_fan_is_read_from_out_in_and_a_vector_is_one_row() -> None:
    assert fans((3, 7)) == (7, 3)
    assert fans((7,)) == (7, 1)
    assert abs(draw("glorot_uniform", (), (5000,), rng())).max() <= math.sqrt(6 / 5001)


def test_more_axes_are_a_stack_of_matrices() -> None:
    assert fans((5, 3, 7)) == (7, 3)
    stack = draw("orthogonal", (2,), (2, 3, 4, 4), rng())
    assert np.allclose(np.einsum("abij,abkj->abik", stack, stack), 4 * np.eye(4))
    assert not np.allclose(stack[0, 0], stack[0, 1])
    assert (draw("identity", (3,), (2, 4, 4), rng()) == 3 * np.eye(4)).all()
    assert ((draw("sparse", (2, 1), (5, 3, 4), rng()) != 0).sum(-1) == 2).all()
    assert (draw("orthogonal", (), (1, 4, 3), rng())[0] == draw("orthogonal", (), (4, 3), rng())).all()


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "words"),
    [
        ("glorot_uniform", (), (), "a scalar has none"),
        ("identity", (), (2, 3, 4), "square matrix"),
        ("orthogonal", (), (3,), "only a matrix"),
        ("identity", (), (3, 4), "square matrix"),
        ("sparse", (15, 1), (3,), "only a matrix"),
        ("sparse", (1.5, 1), (3, 3), "whole number"),
        ("uniform", (-1,), (3,), "cannot be negative"),
        ("normal", (0, -1), (3,), "cannot be negative"),
        ("between", (1, 0.5), (3,), "low cannot be above high: 1 and 0.5"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_reason(
    name: str, arguments: tuple[float, ...], shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        draw(name, arguments, shape, rng())


def test_a_check_needs_no_numbers() -> None:
    assert INITIALISERS["identity"].check(("H", "H"), (1.0,)) is None
    assert INITIALISERS["identity"].check(("H", "N"), (1.0,)) is not None
    assert INITIALISERS["glorot_uniform"].check(("H", "N"), ()) is None


def test_arguments_are_bound_by_place_and_by_name() -> None:
    row = INITIALISERS["normal"]
    assert row.bind((0, 0.1)) == (0, 0.1)
    assert row.bind((), {"std": 0.1, "mean": 0}) == (0, 0.1)
    assert INITIALISERS["orthogonal"].bind(()) == (1.0,)
    assert INITIALISERS["orthogonal"].signature == "orthogonal(gain = 1)"


@pytest.mark.parametrize(("positional", "keywords"), [((1, 2, 3), {}), ((1,), {"mean": 1}), ((0, 1), {"sigma": 1})])
def test_wrong_arguments_are_answered_with_the_right_form(
    positional: tuple[float, ...], keywords: dict[str, float]
) -> None:
    with pytest.raises(UsageError, match=r"normal is used as `normal\(mean, std\)`"):
        INITIALISERS["normal"].bind(positional, keywords)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(UsageError, match="normal needs std"):
        INITIALISERS["normal"].bind((0,))


def test_an_unknown_initialiser_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown initialiser xavier; there are zeros, ones"):
        draw("xavier", (), (3,), rng())


W = Parameter("layer.W", (4, 3), ("glorot_uniform", ()))
U = Parameter("layer.U", (4, 4), ("orthogonal", (1.0,)))
B = Parameter("b", (4,), ("normal", (0.0, 1.0)))


def test_a_draw_depends_on_seed_and_name_alone() -> None:
    all_of_them = initial_values([W, U, B], seed=3)
    alone = initial_values([B], seed=3)
    reordered = initial_values([U, B, W], seed=3)
    np.testing.assert_array_equal(all_of_them["b"], alone["b"])
    np.testing.assert_array_equal(all_of_them["layer.U"], reordered["layer.U"])
    assert not np.array_equal(all_of_them["b"], initial_values([B], seed=4)["b"])
    assert not np.array_equal(alone["b"], initial_values([Parameter("c", (4,), B.initialiser)], seed=3)["c"])


PINNED = [[-0.9299695915820185, 0.2922348154075787], [-0.15315987270496434, 0.7181126747390365]]


def test_draws_stay_the_same_from_version_to_version() -> None:
    value = initial_values([Parameter("W", (2, 2), ("uniform", (1.0,)))], seed=0)["W"]
    np.testing.assert_allclose(value, PINNED, rtol=0, atol=1e-15)
