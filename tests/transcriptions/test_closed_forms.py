"""The transcriptions, compared with other ways to write the same mathematics: who checks the checkers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transcriptions import gated_feedback, gru, lstm, matrix_memory, networks, simple, xlstm
from tests.transcriptions.trace import Arrays, Trace, sigmoid, transcribe

RNG = np.random.default_rng(20150818)
X = RNG.standard_normal((9, 4))


def draw(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: 0.5 * RNG.standard_normal(shape) for name, shape in shapes.items()}


def lstm_parameters(n: int, m: int, fed_back: int) -> dict[str, np.ndarray]:
    weights = {f"W_{g}": (m, n) for g in "ifgo"} | {f"U_{g}": (m, fed_back) for g in "ifgo"}
    return draw(**weights, **{f"b_{g}": (m,) for g in "ifgo"}, **{f"p_{g}": (m,) for g in "ifo"})


def gru_parameters(n: int, m: int) -> dict[str, np.ndarray]:
    return draw(
        **{f"{kind}_{g}": shape for kind, shape in {"W": (m, n), "U": (m, m), "b": (m,)}.items() for g in "zrc"}
    )


def assert_same(a: Trace, b: Trace, outputs: Arrays | None = None) -> None:
    for left, right in zip(a.outputs.values(), (outputs or b.outputs).values(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-13)
    for left, right in zip(a.state.values(), b.state.values(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-13)


def test_lstm_without_peepholes_is_the_plain_one() -> None:
    p = lstm_parameters(4, 5, 5) | {f"p_{g}": np.zeros(5) for g in "ifo"}
    assert_same(lstm.plain_lstm(p, {}, X), lstm.lstm(p, {}, X))


def test_lstmp_with_the_identity_as_projection_is_the_lstm() -> None:
    p = lstm_parameters(4, 5, 5) | {"W_rm": np.eye(5)}
    assert_same(lstm.lstmp(p, {}, X), lstm.lstm(p, {}, X))


def test_lstmp_is_an_lstm_with_a_factored_recurrent_matrix() -> None:
    p = lstm_parameters(4, 5, 3) | draw(W_rm=(3, 5), W_pm=(2, 5))
    full = p | {f"U_{g}": p[f"U_{g}"] @ p["W_rm"] for g in "ifgo"}
    m = lstm.lstm(full, {}, X).outputs["h"]
    both = np.concatenate([m @ p["W_rm"].T, m @ p["W_pm"].T], axis=1)
    np.testing.assert_allclose(lstm.lstmp_both(p, {}, X).outputs["y"], both, atol=1e-13)
    np.testing.assert_allclose(lstm.lstmp(p, {}, X).outputs["r"], both[:, :3], atol=1e-13)


def test_peepholes_see_the_memory_on_the_right_side_of_its_update() -> None:
    """One unit, one step, by hand: the input gate sees c_0, the output gate c_1."""
    zero = {f"{kind}_{g}": np.zeros((1, 1)) for kind in "WU" for g in "ifgo"}
    p = zero | {f"b_{g}": np.zeros(1) for g in "ifo"} | {"b_g": np.array([0.7])}
    p |= {"p_i": np.array([1.0]), "p_f": np.array([-2.0]), "p_o": np.array([3.0])}
    c = 0.4 * sigmoid(-0.8) + sigmoid(0.4) * np.tanh(0.7)
    h = sigmoid(3 * c) * np.tanh(c)
    trace = lstm.lstm(p, {"c": np.array([0.4])}, np.zeros((1, 1)))
    np.testing.assert_allclose([trace.state["c"][0], trace.state["h"][0]], [c, h], atol=1e-15)


def test_the_two_grus_agree_when_the_recurrent_matrix_is_diagonal() -> None:
    p = gru_parameters(4, 5) | {"U_c": np.diag(RNG.standard_normal(5))}
    assert_same(gru.gru(p, {}, X), gru.gru_after(p, {}, X))


def test_a_gru_that_always_updates_and_never_resets_is_an_elman_network() -> None:
    p = gru_parameters(4, 5) | {"b_z": np.full(5, 100.0), "b_r": np.full(5, 100.0)}
    same = {"W": p["W_c"], "U": p["U_c"], "b": p["b_c"]}
    for cell in gru.gru, gru.gru_after:
        assert_same(cell(p, {}, X), simple.elman(same, {}, X))


def test_irnn_with_identity_recurrence_and_positive_input_adds_up() -> None:
    p = {"W": np.eye(4), "U": np.eye(4), "b": np.zeros(4)}
    np.testing.assert_allclose(simple.irnn(p, {}, np.abs(X)).outputs["h"], np.cumsum(np.abs(X), axis=0), atol=1e-13)


def gated_feedback_parameters(gate: float) -> dict[str, np.ndarray]:
    """Two layers whose gates all hang on one input, which is 1: sigmoid(gate), or shut between the layers."""
    p = draw(**{"W[1]": (3, 4), "W[2]": (3, 3)}, **{f"U[{i},{j}]": (3, 3) for i in (1, 2) for j in (1, 2)})
    for i in (1, 2):
        p[f"w[1,{i}]"] = np.array([0.0, 0, 0, gate])
        p[f"w[2,{i}]"] = np.zeros(3)
        p |= {f"u[{i},{j}]": np.zeros(6) for j in (1, 2)}
    return p


def test_gated_feedback_with_open_gates_is_one_big_recurrent_layer() -> None:
    x = np.concatenate([X[:, :3], np.ones((len(X), 1))], axis=1)
    p = gated_feedback_parameters(100.0)
    h = np.zeros(6)
    for x_t in x:
        low = np.tanh(p["W[1]"] @ x_t + p["U[1,1]"] @ h[:3] + p["U[2,1]"] @ h[3:])
        half = 0.5 * (p["U[1,2]"] @ h[:3] + p["U[2,2]"] @ h[3:])
        h = np.concatenate([low, np.tanh(p["W[2]"] @ low + half)])
    np.testing.assert_allclose(gated_feedback.gated_feedback(p, {}, x).outputs["y"][-1], h, atol=1e-13)


def test_the_gates_of_gated_feedback_belong_to_ordered_pairs_of_layers() -> None:
    """u[i, j] opens the way i -> j alone: with every other connection shut, only that one matrix is felt."""
    p = gated_feedback_parameters(0.0) | {f"U[{i},{j}]": np.zeros((3, 3)) for i in (1, 2) for j in (1, 2)}
    p["U[1,2]"] = np.eye(3)
    p["u[1,2]"] = np.full(6, 0.9)
    p["u[2,1]"] = np.full(6, -50.0)
    h = {"h[1]": np.array([0.1, 0.2, 0.3]), "h[2]": np.array([0.4, 0.5, 0.6])}
    trace = gated_feedback.gated_feedback(p, h, X[:1])
    low = np.tanh(p["W[1]"] @ X[0])
    high = np.tanh(p["W[2]"] @ low + sigmoid(0.9 * 2.1) * h["h[1]"])
    np.testing.assert_allclose(trace.outputs["y"][0], np.concatenate([low, high]), atol=1e-14)


def test_linear_attention_is_its_recurrence() -> None:
    p = draw(W_q=(3, 4), W_k=(3, 4), W_v=(5, 4))
    S, z = RNG.uniform(size=(5, 3)), RNG.uniform(size=3)
    trace = matrix_memory.linear_attention(p, {"S": S, "z": z}, X)
    for x_t, y_t in zip(X, trace.outputs["y"], strict=True):
        q, k = (np.where(a > 0, a + 1, np.exp(a)) for a in (p["W_q"] @ x_t, p["W_k"] @ x_t))
        S, z = S + np.outer(p["W_v"] @ x_t, k), z + k
        np.testing.assert_allclose(y_t, S @ q / (z @ q), atol=1e-13)
    np.testing.assert_allclose(trace.state["S"], S, atol=1e-13)


def test_mlstm_reads_the_same_however_its_memory_is_scaled() -> None:
    """The state (C, n, m) and the state (C e^-a, n e^-a, m + a) are the same memory."""
    p = draw(**{f"W_{g}": (3, 4) for g in "qk"}, **{f"W_{g}": (5, 4) for g in "vo"}, w_i=(4,), w_f=(4,), b_i=(), b_f=())
    p |= draw(b_q=(3,), b_k=(3,), b_v=(5,), b_o=(5,))
    C, n = RNG.uniform(size=(5, 3)), RNG.uniform(size=3)
    a = xlstm.mlstm(p, {"C": C, "n": n, "m": np.array(0.3)}, X)
    b = xlstm.mlstm(p, {"C": C * np.exp(-2), "n": n * np.exp(-2), "m": np.array(2.3)}, X)
    np.testing.assert_allclose(a.outputs["h"], b.outputs["h"], atol=1e-13)


def test_translate_without_weights_guesses_uniformly() -> None:
    p = {f"{side}[1].{name}": 0 * value for side in ("enc", "dec") for name, value in lstm_parameters(4, 5, 5).items()}
    p |= draw(E=(7, 4), F=(6, 4)) | {"logits.W": np.zeros((6, 5)), "logits.b": np.zeros(6)}
    trace = networks.translate(p, {}, np.array([1, 5, 2]), np.array([0, 3, 5, 1]))
    assert trace.loss is not None
    np.testing.assert_allclose(trace.loss, np.full(4, np.log(6)), atol=1e-14)


def test_first_element_absolute_with_its_first_weights_holds_the_first_bit() -> None:
    """One unit with identity recurrence that only sees a rise from h_0 = 0: y_T = x_1 when the rest is silent."""
    one = np.ones((1, 1))
    p = {"W": one, "U": one, "b": np.zeros(1), "h[0]": np.zeros(1), "y.W": one, "y.b": np.zeros(1)}
    x = np.array([[1.0], [0.0], [0.0]])
    assert networks.first_element_absolute(p, {}, x).loss == 0
    assert networks.first_element_absolute(p | {"h[0]": np.array([0.25])}, {}, x).loss == 0.25


def test_music_predicts_from_the_past_alone() -> None:
    p = {f"p.Cell.{name}": value for name, value in gru_parameters(4, 5).items()}
    p |= {f"p.Linear.{name}": value for name, value in draw(W=(4, 5), b=(4,)).items()}
    x = (X > 0).astype(float)
    changed = np.concatenate([x[:4], 1 - x[4:]])
    one, other = networks.music(p, {}, x).outputs["p"], networks.music(p, {}, changed).outputs["p"]
    np.testing.assert_array_equal(one[:5], other[:5])


@pytest.mark.parametrize("lengths", [[9, 9], [9, 2]])
def test_a_batch_is_its_sequences(lengths: list[int]) -> None:
    p = draw(W=(5, 4), U=(5, 5), b=(5,))
    x = RNG.standard_normal((9, 2, 4))
    batch = transcribe(simple.elman, p, {"x": x}, {"x": np.array(lengths)})
    for b, length in enumerate(lengths):
        alone = simple.elman(p, {}, x[:length, b])
        np.testing.assert_array_equal(batch.outputs["h"][:length, b], alone.outputs["h"])
        np.testing.assert_array_equal(batch.outputs["h"][length:, b], 0)
        np.testing.assert_array_equal(batch.state["h"][b], alone.state["h"])
