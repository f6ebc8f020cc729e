"""The mixture density of a pen: gradients in the closed form of the paper, probabilities, and extreme inputs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc

M = 3
HEADS = ("pi_hat", "mu_1", "mu_2", "sigma_1_hat", "sigma_2_hat", "rho_hat", "e_hat")


@cache
def mixture(dtype: str = "float64") -> Any:
    return rc.library.spec("MixtureDensity").compile(dtype=dtype, N=1, M=M)


def weights(seed: int = 0, **given: Any) -> Any:
    """What the layers give is in their biases, as x is zero: at random, or as given."""
    rng, model = np.random.default_rng(seed), mixture()
    drawn = {name: rng.standard_normal(p.shape) for name, p in model.parameters.items()}
    return model.pack(drawn | {f"{head}.b": np.broadcast_to(value, M) for head, value in given.items()})


def inputs(target: Any) -> dict[str, Any]:
    """Points [T, 3] as the targets of one sequence."""
    return {"x": np.zeros((len(target), 1, 1)), "target": np.asarray(target, float)[:, None]}


def test_gradients_are_those_that_the_paper_prints() -> None:
    """Graves 2013, section 4.1; that of e_hat has the other sign, as e_hat has."""
    model, params, x = mixture(), weights(), np.array([0.4, -1.1, 1.0])
    _, gradients, _ = model.loss_and_gradients(params, inputs(x[None]))
    found = model.views(gradients.params)
    run = model.forward(params, inputs(x[None]))
    pi, mu_1, mu_2, sigma_1, sigma_2, rho, e = (run.outputs[n][0, 0] for n in model.outputs)
    a, b, C = (x[0] - mu_1) / sigma_1, (x[1] - mu_2) / sigma_2, 1 / (1 - rho**2)
    Z = a**2 + b**2 - 2 * rho * a * b
    each = pi * np.exp(-C * Z / 2) / (2 * np.pi * sigma_1 * sigma_2 * np.sqrt(1 - rho**2))
    gamma = each / each.sum()
    wanted = {
        "pi_hat": pi - gamma,
        "mu_1": -gamma * (C / sigma_1) * (a - rho * b),
        "mu_2": -gamma * (C / sigma_2) * (b - rho * a),
        "sigma_1_hat": -gamma * (C * a * (a - rho * b) - 1),
        "sigma_2_hat": -gamma * (C * b * (b - rho * a) - 1),
        "rho_hat": -gamma * (a * b + rho * (1 - C * Z)),
        "e_hat": e - x[2],
    }
    assert set(wanted) == set(HEADS)
    for head, value in wanted.items():
        np.testing.assert_allclose(found[f"{head}.b"], value, rtol=1e-11, atol=1e-13, err_msg=head)


def test_all_probabilities_add_up_to_one() -> None:
    """The loss of a point is minus the logarithm of its density; a sum over a grid is as good as an integral here."""
    side = np.linspace(-9, 9, 41)
    params = weights(mu_1=[-1, 0, 1], mu_2=[0, 1, -1], sigma_1_hat=[0, 0.1, 0.2], sigma_2_hat=0.2, rho_hat=[-0.5, 0, 1])
    model = mixture()
    density = sum(np.exp(-model.loss(params, inputs([[x, y, 1.0]]))) for x in side for y in side)
    lifted = float(model.forward(params, inputs([[0, 0, 1]])).outputs["e"][0, 0, 0])
    assert density * (side[1] - side[0]) ** 2 == pytest.approx(lifted, rel=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("given", "point"),
    [
        ({"sigma_1_hat": -8.0, "sigma_2_hat": -8.0}, [1e3, -1e3, 1.0]),
        ({"rho_hat": 20.0}, [3.0, -3.0, 0.0]),
        ({"rho_hat": -20.0, "mu_1": 1.0, "mu_2": 2.0}, [1.0, 2.0, 0.0]),
        ({"pi_hat": [-1e3, 0.0, 1e3], "e_hat": 1e3}, [0.0, 0.0, 0.0]),
    ],
    ids=["far away", "almost on a line", "in the middle of a line", "certain, and wrong"],
)
def test_loss_and_gradients_stay_finite_where_densities_do_not(
    given: dict[str, Any], point: list[float], dtype: str
) -> None:
    one = {head: value for head, value in given.items() if head != "e_hat"}
    params = weights(**one).astype(dtype)
    model = mixture(dtype)
    if "e_hat" in given:
        params = model.pack(dict(model.views(params)) | {"e_hat.b": np.array([given["e_hat"]])})
    loss, gradients, _ = model.loss_and_gradients(params, inputs([point]))
    assert np.isfinite(loss)
    assert np.isfinite(gradients.params).all()
