"""Cells with elapsed time, where they must be cells without it; and the shipped ones at a steady pace."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from tests.transcriptions import elapsed
from tests.transcriptions.gru import gru
from tests.transcriptions.lstm import plain_lstm
from tests.transcriptions.reservoirs import zero_order_hold
from tests.transcriptions.test_closed_forms import RNG, X, assert_same, draw, gru_parameters, lstm_parameters

STILL = np.zeros(len(X))
"""No time between steps."""


def test_where_no_time_passes_an_ode_rnn_is_a_gru() -> None:
    p = gru_parameters(4, 5) | draw(V=(5, 5), A=(5, 5), v=(5,), a=(5,))
    assert_same(elapsed.ode_rnn(p, {}, X, STILL), gru(p, {}, X))


def test_where_no_time_passes_a_time_aware_lstm_is_an_lstm() -> None:
    p = lstm_parameters(4, 5, 5) | draw(W_d=(5, 5), b_d=(5,))
    assert_same(elapsed.tlstm(p, {}, X, STILL), plain_lstm(p, {}, X))


def test_where_everything_is_seen_and_nothing_decays_grud_is_a_gru_of_its_input() -> None:
    p = gru_parameters(4, 5) | draw(w_d=(4,), a_d=(4,), **{f"V_{k}": (5, 4) for k in "zrc"})
    everything = np.ones_like(X)
    found = elapsed.grud(p | {"W_d": np.zeros((5, 4)), "b_d": np.zeros(5)}, {}, X, everything, STILL + 3)
    plain = p | {f"b_{k}": p[f"b_{k}"] + p[f"V_{k}"].sum(1) for k in "zrc"}
    np.testing.assert_allclose(found.outputs["h"], gru(plain, {}, X).outputs["h"], rtol=0, atol=1e-13)


def test_the_gate_of_a_phased_unit_rises_falls_and_leaks() -> None:
    """A period of 10 from 1 on, open for 4: at its start, its middle, its end, behind it, and one period later."""
    gate = [elapsed.openness(t, 10, 1, 0.4, 0.01) for t in (1, 2, 3, 4, 5, 6, 11, 13, 0.5)]
    np.testing.assert_allclose(gate, [0, 0.5, 1, 0.5, 0.004, 0.005, 0, 1, 0.0095], atol=1e-12)


@pytest.mark.parametrize(("timed", "steady"), [("TimedCfC", "CfC"), ("TimedLTC", "LTC")])
def test_at_a_steady_pace_a_timed_cell_is_the_one_without_time(timed: str, steady: str) -> None:
    one, other = (rc.library.spec(name).compile(backend="numpy", N=4, H=5, dtype="float64") for name in (timed, steady))
    assert {name: p.shape for name, p in one.parameters.items()} == {n: p.shape for n, p in other.parameters.items()}
    params, x = RNG.standard_normal(one.size), X[:, None]
    found = one.forward(params, {"x": x, "dt": np.ones((len(X), 1))})
    np.testing.assert_allclose(found.output, other.forward(params, {"x": x}).output, rtol=0, atol=1e-13)


def test_the_matrices_of_lmu_are_those_of_scipy() -> None:
    """Zero-order hold by `cont2discrete`; with e_x = 1 and nothing fed back, m after one pulse is B_d, then A_d B_d."""
    signal = pytest.importorskip("scipy.signal")
    d, theta = 6, 20.0
    A = [[(2 * i + 1) * (-1 if i < j else (-1.0) ** (i - j + 1)) for j in range(d)] for i in range(d)]
    B = [[(2 * i + 1) * (-1.0) ** i] for i in range(d)]
    system = (np.array(A) / theta, np.array(B) / theta, np.eye(d), np.zeros((d, 1)))
    A_d, B_d = signal.cont2discrete(system, dt=1.0, method="zoh")[:2]
    np.testing.assert_allclose(zero_order_hold(np.array(A), np.array(B)[:, 0], theta)[0], A_d, rtol=0, atol=1e-13)
    model = rc.library.LMU.compile(backend="numpy", N=1, D=d, H=2, theta=theta, dtype="float64")
    params = model.pack({name: np.full(p.shape, float(name == "e_x")) for name, p in model.parameters.items()})
    state, wanted = None, B_d[:, 0]
    for pulse in (1.0, 0.0, 0.0):
        _, state = model.step(params, {"x": np.array([[pulse]])}, state)
        np.testing.assert_allclose(state["m"][0], wanted, rtol=0, atol=1e-13)
        wanted = A_d @ wanted
