"""Transcriptions of attention, outputs and compositions where the result is known without them."""

from __future__ import annotations

import numpy as np

from tests.transcriptions import attention, composition, outputs
from tests.transcriptions.lstm import lstm
from tests.transcriptions.test_closed_forms import RNG, X, draw, gru_parameters, lstm_parameters

N, H = 4, 5


def at(place: str, p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters of a cell at its place in a network."""
    return {f"{place}.{name}": value for name, value in p.items()}


def test_a_narrow_window_that_moves_by_one_reads_one_symbol_after_the_other() -> None:
    text, flat = np.array([2, 0, 1, 1, 0, 2, 2, 1, 0]), np.zeros((2, H))
    p = at("h", lstm_parameters(N + 3, H, H)) | {"W_a": flat, "W_b": flat, "W_k": flat}
    p |= {"b_a": np.log([0.25, 0.75]), "b_b": np.full(2, 7.0), "b_k": np.zeros(2)}
    trace = attention.attention_window(p, {}, X, text)
    np.testing.assert_allclose(trace.outputs["w"], np.eye(3)[text], atol=1e-14)
    np.testing.assert_array_equal(trace.state["kappa"], [9, 9])
    before = np.vstack([np.zeros(3), trace.outputs["w"][:-1]])
    inner = {name.removeprefix("h."): value for name, value in p.items()}
    np.testing.assert_allclose(trace.outputs["h"], lstm(inner, {}, np.hstack([X, before])).outputs["h"], atol=1e-14)


def test_attention_by_equal_scores_is_a_mean_and_by_one_great_score_a_choice() -> None:
    np.testing.assert_allclose(attention.attended([0.7] * 9, X), X.mean(0), atol=1e-15)
    np.testing.assert_allclose(attention.attended([0.0] * 4 + [99.0] + [0.0] * 4, X), X[4], atol=1e-14)


def test_additive_attention_without_a_preference_does_not_see_the_order_of_the_source() -> None:
    """With z = 1 and without U, a GRU gives each symbol a vector of its own, wherever it stands."""
    memoryless = {"W_z": np.zeros((H, N)), "b_z": np.full(H, 99.0)}
    p = {f"{place}.{name}": value for place in ("fwd", "bwd.GRU") for name, value in memoryless.items()}
    blind = {f"{place}.U_c": np.zeros((H, H)) for place in ("fwd", "bwd.GRU")}
    p = at("fwd", gru_parameters(N, H)) | at("bwd.GRU", gru_parameters(N, H)) | p | blind
    p |= draw(E=(7, N), F=(6, N), W_a=(3, H), U_a=(3, 2 * H), W_s=(H, H), W=(H, N), W_z=(H, N), W_r=(H, N))
    p |= draw(U=(H, H), U_z=(H, H), U_r=(H, H), C=(H, 2 * H), C_z=(H, 2 * H), C_r=(H, 2 * H), b=(H,), b_z=(H,))
    p |= draw(b_r=(H,), U_o=(4, H), V_o=(4, N), C_o=(4, 2 * H), b_o=(4,), W_o=(6, 2), b_y=(6,))
    p |= {"v_a": np.zeros(3), "W_s": np.zeros((H, H))}
    tgt = np.array([0, 3, 5, 1])
    one, other = (attention.bahdanau(p, {}, np.array(src), tgt) for src in ([1, 5, 2], [5, 2, 1]))
    np.testing.assert_allclose(one.outputs["logits"], other.outputs["logits"], atol=1e-13)
    p["v_a"] = np.full(3, 5.0)
    chosen = attention.bahdanau(p, {}, np.array([1, 5, 2]), tgt)
    assert np.abs(chosen.outputs["logits"] - one.outputs["logits"]).max() > 0.01


def test_translation_without_an_output_layer_guesses_uniformly() -> None:
    p = at("enc[1]", lstm_parameters(N, H, H)) | at("dec[1]", lstm_parameters(N + H, H, H))
    p |= draw(E=(7, N), F=(6, N), W_c=(H, 2 * H)) | {"W_s": np.zeros((6, H))}
    trace = attention.luong(p, {}, np.array([1, 5, 2]), np.array([0, 3, 5, 1]))
    assert trace.loss is not None
    np.testing.assert_allclose(trace.loss, np.full(4, np.log(6)), atol=1e-14)


def test_a_mixture_of_equal_standard_gaussians_costs_what_one_of_them_costs() -> None:
    """Half the squared distance, log 2 pi, and log 2 for a bit of which nothing is known."""
    parts = dict.fromkeys(("pi_hat", "mu_1", "mu_2", "sigma_1_hat", "sigma_2_hat", "rho_hat"), 3) | {"e_hat": 1}
    p = {f"{part}.W": np.zeros((size, N)) for part, size in parts.items()}
    p |= {f"{part}.b": np.zeros(size) for part, size in parts.items()}
    points = np.hstack([RNG.standard_normal((9, 2)), RNG.integers(0, 2, (9, 1))])
    trace = outputs.mixture_density(p, {}, X, points)
    wanted = np.log(2 * np.pi) + np.sum(points[:, :2] ** 2, 1) / 2 + np.log(2)
    assert trace.loss is not None
    np.testing.assert_allclose(trace.loss, wanted, atol=1e-14)


def test_a_residual_layer_that_gives_zero_changes_nothing() -> None:
    p = {name: np.zeros_like(value) for name, value in at("out[1].Cell", lstm_parameters(N, N, N)).items()}
    np.testing.assert_array_equal(composition.residual(p, {}, X).outputs["y"], X)


def test_both_directions_with_equal_weights_read_a_palindrome_alike() -> None:
    p = at("fwd", lstm_parameters(N, H, H))
    p |= {name.replace("fwd", "bwd.Cell"): value for name, value in p.items()}
    y = composition.bidirectional(p, {}, np.concatenate([X, X[::-1]])).outputs["y"]
    np.testing.assert_allclose(y[:, :H], y[::-1, H:], atol=1e-14)


def test_a_stack_with_skips_that_are_shut_is_a_plain_stack() -> None:
    p = at("h[1]", lstm_parameters(N, H, H)) | at("h[2]", lstm_parameters(H, H, H))
    wide = {name: np.hstack([np.zeros((H, N)), w]) for name, w in p.items() if name.startswith("h[2].W")}
    skip = composition.stacked_skip(p | wide, {}, X)
    np.testing.assert_allclose(skip.outputs["y"][:, H:], composition.stacked(p, {}, X).outputs["y"], atol=1e-14)
