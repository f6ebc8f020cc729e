"""The transcriptions of gated units, where they must be one another or something simpler."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.transcriptions import clockwork, gated, gated_feedback, gru, lstm, lstm_variants, simple
from tests.transcriptions.test_closed_forms import RNG, X, assert_same, draw, gru_parameters, lstm_parameters
from tests.transcriptions.trace import Array, Trace


def units(letters: str, size: int = 5) -> dict[str, Array]:
    """W, U and b for each letter: N = 4 inputs, `size` units."""
    shapes = {"W": (size, 4), "U": (size, size), "b": (size,)}
    return draw(**{f"{kind}_{k}": shape for kind, shape in shapes.items() for k in letters})


def assert_outputs(trace: Trace, wanted: Array) -> None:
    np.testing.assert_allclose(next(iter(trace.outputs.values())), wanted, rtol=0, atol=1e-13)


def elman_of(p: dict[str, Array], k: str) -> dict[str, Array]:
    return {"W": p[f"W_{k}"], "U": p[f"U_{k}"], "b": p[f"b_{k}"]}


def test_a_jordan_network_that_forgets_at_once_feeds_back_its_last_output() -> None:
    p = draw(W=(5, 4), U=(5, 3), V=(3, 5), b_h=(5,), b_y=(3,))
    y, outputs = np.zeros(3), []
    for x_t in X:
        y = np.tanh(p["V"] @ np.tanh(p["W"] @ x_t + p["U"] @ y + p["b_h"]) + p["b_y"])
        outputs.append(y)
    assert_outputs(simple.jordan(p, {}, X, mu=0.0), np.array(outputs))


def test_the_context_of_scrn_is_a_mean_of_past_inputs_that_fades() -> None:
    p = draw(A=(5, 4), B=(3, 4), P=(5, 3), R=(5, 5))
    weights = np.array([0.2 * 0.8**k for k in range(len(X))])
    context = np.array([weights[: t + 1] @ X[t::-1] for t in range(len(X))]) @ p["B"].T
    np.testing.assert_allclose(simple.scrn(p, {}, X, alpha=0.8).outputs["y"][:, 5:], context, atol=1e-13)


@pytest.mark.parametrize(
    ("cell", "letters", "gate", "bias"), [(gated.mgu, "fc", "b_f", 100.0), (gated.ugrnn, "cg", "b_g", -100.0)]
)
def test_a_unit_whose_gate_always_updates_is_an_elman_network(
    cell: Callable[..., Trace], letters: str, gate: str, bias: float
) -> None:
    p = units(letters)
    assert_same(cell(p | {gate: np.full(5, bias)}, {}, X), simple.elman(elman_of(p, "c"), {}, X))
    kept = RNG.uniform(size=5)
    assert_outputs(cell(p | {gate: np.full(5, -bias)}, {"h": kept}, X), np.tile(kept, (len(X), 1)))


def test_a_gru_that_keeps_by_z_is_one_that_updates_by_z_with_its_weights_negated() -> None:
    p = gru_parameters(4, 5)
    negated = {name: -p[name] for name in ("W_z", "U_z", "b_z")}
    assert_same(gru.cho_gru(p | negated, {}, X), gru.gru(p, {}, X))


def test_mutations_are_grus_with_a_matrix_less() -> None:
    p, none = gru_parameters(4, 4), np.zeros((4, 4))
    assert_same(gated.mut3(p | {"U_z": none}, {}, X), gru.gru(p | {"U_z": none}, {}, X))
    assert_same(gated.mut2(p | {"V": np.eye(4)}, {}, X), gru.gru(p | {"W_r": np.eye(4)}, {}, X))
    first = gated.mut1(p | {"V": np.eye(4)}, {}, X[:1])
    alike = p | {"U_z": none, "W_c": np.diag(np.tanh(X[0]) / X[0])}
    assert_same(first, gru.gru(alike, {}, X[:1]))


def highway_parameters(letters: str, depth: int) -> dict[str, Array]:
    p = draw(**{f"W_{k}": (5, 4) for k in letters})
    for layer in range(1, depth + 1):
        p |= draw(**{f"U_{k}[{layer}]": (5, 5) for k in letters}, **{f"b_{k}[{layer}]": (5,) for k in letters})
    return p


def test_a_recurrent_highway_of_depth_one_is_a_gru_that_never_resets() -> None:
    p = highway_parameters("cg", 1)
    same = units("r") | {"b_r": np.full(5, 100.0)}
    for k, letter in ("z", "g"), ("c", "c"):
        same |= {f"W_{k}": p[f"W_{letter}"], f"U_{k}": p[f"U_{letter}[1]"], f"b_{k}": p[f"b_{letter}[1]"]}
    assert_same(gated.highway(p, {}, X), gru.gru(same, {}, X))


def test_a_recurrent_highway_is_coupled_when_its_carry_gate_is_the_transform_gate_negated() -> None:
    p = highway_parameters("cg", 3)
    negated = {name.replace("_g", "_k"): -value for name, value in p.items() if "_g" in name}
    assert_same(gated.highway(p | negated, {}, X), gated.highway(p, {}, X))


def test_the_slow_module_of_a_clockwork_network_is_an_elman_network_over_every_second_step() -> None:
    p = draw(**{f"W[{j}]": (3, 4) for j in (1, 2)}, **{f"b[{j}]": (3,) for j in (1, 2)})
    p |= draw(**{f"U[{i},{j}]": (3, 3) for i, j in ((1, 1), (1, 2), (2, 2))})
    trace = clockwork.clockwork(p, {}, X)
    slow = simple.elman({"W": p["W[2]"], "U": p["U[2,2]"], "b": p["b[2]"]}, {}, X[::2]).outputs["h"]
    np.testing.assert_allclose(trace.outputs["y"][::2, 3:], slow, atol=1e-13)
    np.testing.assert_array_equal(trace.outputs["y"][1::2, 3:], trace.outputs["y"][:-1:2, 3:])
    assert (trace.state["sleep[1]"], trace.state["sleep[2]"]) == (0, 1)
    late = clockwork.clockwork(p, {"sleep[2]": np.array(1.0)}, X)
    np.testing.assert_array_equal(late.outputs["y"][0, 3:], 0)
    np.testing.assert_array_equal(late.outputs["y"][2::2, 3:], late.outputs["y"][1:-1:2, 3:])


def test_full_peepholes_that_are_diagonal_are_peepholes() -> None:
    p = lstm_parameters(4, 5, 5)
    full = p | {f"P_{k}": np.diag(p[f"p_{k}"]) for k in "ifo"}
    assert_same(lstm.full_peephole_lstm(full, {}, X), lstm.lstm(p, {}, X))


def test_a_coupled_memory_lies_between_its_old_value_and_its_candidate() -> None:
    p = lstm_parameters(4, 5, 5)
    c = RNG.standard_normal(5)
    found = lstm.cifg(p, {"c": c}, X[:1]).state["c"]
    candidate = np.tanh(p["W_g"] @ X[0] + p["b_g"])
    share = (found - c) / (candidate - c)
    np.testing.assert_allclose(np.log(share / (1 - share)), p["W_i"] @ X[0] + p["p_i"] * c + p["b_i"], atol=1e-12)


def test_variants_of_the_lstm_with_nothing_added_are_the_plain_one() -> None:
    p = lstm_parameters(4, 5, 5)
    plain = lstm.plain_lstm(p, {}, X)
    assert_outputs(lstm_variants.zoneout(p, {}, X, 0.0, 0.0), plain.outputs["h"])
    assert_outputs(lstm_variants.variational(p, {}, X, np.ones(4), np.ones(5)), plain.outputs["h"])
    factors = {f"V_{k}": p[f"U_{k}"] for k in "ifgo"} | {"W_m": np.zeros((5, 4)), "U_m": np.eye(5)}
    x = np.concatenate([X[:, :3], np.ones((len(X), 1))], axis=1)
    factors["W_m"][:, 3] = 1  # the last input is always 1, so that W_m x is
    assert_same(lstm_variants.multiplicative(p | factors, {}, x), lstm.plain_lstm(p, {}, x))


def test_zoneout_of_everything_changes_nothing() -> None:
    kept = RNG.uniform(size=5)
    assert_outputs(lstm_variants.zoneout(lstm_parameters(4, 5, 5), {"h": kept}, X, 1.0, 1.0), np.tile(kept, (9, 1)))


def test_variational_dropout_of_all_inputs_is_a_plain_lstm_of_silence() -> None:
    p = lstm_parameters(4, 5, 5)
    assert_outputs(lstm_variants.variational(p, {}, X, np.zeros(4)), lstm.plain_lstm(p, {}, 0 * X).outputs["h"])


def test_layer_normalisation_does_not_see_the_scale_of_what_it_normalises() -> None:
    p = draw(W=(20, 4), U=(20, 5), gain_x=(20,), gain_h=(20,), bias_x=(20,), bias_h=(20,), gain_c=(5,), bias_c=(5,))
    p |= draw(**{f"b_{k}": (5,) for k in "fiog"})
    big = p | {"W": 1e4 * p["W"], "U": 1e4 * p["U"]}
    bigger = p | {"W": 3e4 * p["W"] + 7, "U": 5e4 * p["U"] - 2}
    h = {"h": RNG.standard_normal(5)}
    found, wanted = (lstm_variants.layer_normalised(q, h, X).outputs["h"] for q in (bigger, big))
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_one_layer_of_gated_feedback_is_a_unit_whose_recurrent_matrix_is_gated() -> None:
    """With gates that read nothing each is 1/2; without a layer below nothing else is left."""
    p = draw(
        **{f"W_{k}[1]": (5, 4) for k in "ifcozr"}, **{f"U_{k}[1]": (5, 5) for k in "ifozr"}, **{"U_c[1,1]": (5, 5)}
    )
    p |= {"w[1,1]": np.zeros(4), "u[1,1]": np.zeros(5)}
    plain = {name.removesuffix("[1]"): value for name, value in p.items()} | {f"b_{k}": np.zeros(5) for k in "ifgozrc"}
    plain |= {"W_g": p["W_c[1]"], "U_g": p["U_c[1,1]"] / 2, "U_c": p["U_c[1,1]"] / 2}
    assert_outputs(gated_feedback.gated_feedback_lstm(p, {}, X), lstm.plain_lstm(plain, {}, X).outputs["h"])
    assert_outputs(gated_feedback.gated_feedback_gru(p, {}, X), gru.gru_after(plain, {}, X).outputs["h"])


def test_gated_feedback_without_skip_connections_is_the_network_of_the_equations() -> None:
    p = draw(**{"W[1]": (3, 4), "W[2]": (3, 3)}, **{f"U[{i},{j}]": (3, 3) for i in (1, 2) for j in (1, 2)})
    p |= draw(**{f"w[1,{i}]": (4,) for i in (1, 2)}, **{f"w[2,{i}]": (3,) for i in (1, 2)})
    p |= draw(**{f"u[{i},{j}]": (6,) for i in (1, 2) for j in (1, 2)})
    skip = p | {"W[2]": np.zeros((3, 4)), "V[2]": p["W[2]"]}
    assert_same(gated_feedback.gated_feedback_skip(skip, {}, X), gated_feedback.gated_feedback(p, {}, X))
