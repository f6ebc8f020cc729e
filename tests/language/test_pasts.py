"""Other values as the past of a use: `GRU[H](x) with (h = below)`."""

from __future__ import annotations

import re

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import SpecError
from recurrency.language.writing.format import format_file
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from tests.support.cells import random_params
from tests.support.resetting import close

OWN = """
use LSTM, TorchGRU from library

cell Own[N, H](x: [N]) -> (h: [H]) {
    h = u
    u = CELL
}"""


@pytest.mark.parametrize(
    "cell", ["LSTM[H](x) with (h = u.h[t-1], c = u.c[t-1]) reset (sum(x) < -1)", "TorchGRU[H](x) with (h = u.h[t-1])"]
)
def test_a_use_whose_past_is_its_own_is_the_use_without_the_clause(cell: str) -> None:
    texts = (OWN.replace("CELL", cell), OWN.replace("CELL", re.sub(r" with \(.*?\)", "", cell)))
    own, plain = (rc.parse(text).compile(backend="numpy", dtype="float64", N=3, H=4) for text in texts)
    rng = np.random.default_rng(0)
    params, x = random_params(plain, rng), rng.standard_normal((6, 2, 3))
    assert (own.parameters, own.states) == (plain.parameters, plain.states)
    given = {name: rng.standard_normal((2, *shape)) for name, shape in plain.states.items()}
    runs = [m.forward(params, x, state=given, lengths=np.array([6, 4])) for m in (own, plain)]
    seeds = {"h": rng.standard_normal(runs[0].output.shape)}
    found, wanted = (m.backward(run, seeds) for m, run in zip((own, plain), runs, strict=True))
    close(runs[0].output, runs[1].output)
    close(found.params, wanted.params)
    close(found.inputs["x"], wanted.inputs["x"])
    for name in given:
        close(runs[0].state[name], runs[1].state[name])
        close(found.state[name], wanted.state[name])


CLAUSES = """
cell Two[N](x: [N]) -> (y: [N]) {
    param w : [N] ~ ones

    state y : [N] = 0.5
    state c : [N] = 0.25

    c = tanh(w * x + c[t-1])
    y = 0.5 * y[t-1] + c
}

cell Outer[N](x, b: [N], m, r: []) -> (h, k, last: [N]) {
    u    = Two(x) with (y = b + b[t-1]) when m reset r
    h    = u
    k    = u.c
    last = s[t-1]
    s    = u
}"""


@pytest.mark.parametrize("backend", ["interpreter", "numpy"])
def test_resets_and_masks_change_the_other_states_and_what_is_seen_from_outside(backend: str) -> None:
    model = rc.parse(CLAUSES).compile(backend=backend, dtype="float64", N=3)
    rng = np.random.default_rng(0)
    params, (x, b) = random_params(model, rng), rng.standard_normal((2, 9, 2, 3))
    m, r = np.clip(rng.uniform(-0.5, 1.5, (9, 2)), 0, 1), rng.random((9, 2)) < 0.2
    run = model.forward(params, {"x": x, "b": b, "m": m, "r": r * 1.0})
    y, c, before, w = np.full((2, 3), 0.5), np.full((2, 3), 0.25), np.zeros((2, 3)), model.views(params)["u.w"]
    for t in range(9):
        m_t, r_t, b_t = m[t, :, None], r[t, :, None], b[t] + (b[t - 1] if t else 0)
        close(run["last"][t], before)
        new = np.tanh(w * x[t] + np.where(r_t, 0.25, c))
        y = m_t * (0.5 * b_t + new) + (1 - m_t) * np.where(r_t, 0.5, y)
        c = m_t * new + (1 - m_t) * np.where(r_t, 0.25, c)
        before = y
        close(run["h"][t], y)
        close(run["k"][t], c)


def test_backward_in_time_both_are_reversed() -> None:
    text = """
    use GRU from library

    cell Back[N, H](x: [N], b: [H]) -> (h: [H]) {
        h = reverse(GRU[H](reverse(x)) with (h = reverse(b)))
    }

    cell Forward[N, H](x: [N], b: [H]) -> (h: [H]) {
        h = GRU[H](x) with (h = b)
    }"""
    sizes = {"N": 2, "H": 3}
    back, forward = (
        rc.parse(text, cell=cell).compile(backend="numpy", dtype="float64", **sizes) for cell in ("Back", "Forward")
    )
    rng = np.random.default_rng(0)
    params, x, b = random_params(back, rng), rng.standard_normal((5, 2, 2)), rng.standard_normal((5, 2, 3))
    found = back.forward(params, {"x": x, "b": b}).output
    own = forward.pack({name.replace("h.GRU", "h"): value for name, value in back.views(params).items()})
    close(found, forward.forward(own, {"x": x[::-1], "b": b[::-1]}).output[::-1])


RING = """
use PlainLSTM from library

cell Ring[N, F, S, L = 3](x: [N]) -> (h: [F]) {
    fast[1] = PlainLSTM[F](x) with (h = fast[L][t-1], c = fast[L].c[t-1])
    slow    = PlainLSTM[S](fast[1])
    fast[2] = PlainLSTM[F](slow) with (h = fast[1], c = fast[1].c)
    fast[3] = PlainLSTM[1, F](0) with (h = fast[2], c = fast[2].c)
    h       = fast[L]
}"""


def test_a_ring_of_uses_needs_no_declared_states() -> None:
    sizes = {"N": 2, "F": 3, "S": 2, "L": 3}
    ring, shipped = (
        spec.compile(backend="numpy", dtype="float64", **sizes) for spec in (rc.parse(RING), rc.library.spec("FSRNN"))
    )
    rng = np.random.default_rng(0)
    params, x = random_params(shipped, rng), rng.standard_normal((5, 2, 2))
    own = ring.pack({name: shipped.views(params)[name] for name in ring.parameters})
    close(ring.forward(own, x).output, shipped.forward(params, x).output)
    rc.parse(RING.replace("h = fast[L][t-1], ", "")).check()
    assert set(ring.states) == {"fast[3]", "fast[3].c", "slow.h", "slow.c"}


STATES = """
cell Learned[N](x: [N]) -> (y: [N]) {
    state y : [N] ~ uniform(0.5)
    y = tanh(x + y[t-1])
}

cell Outer[N](x: [N]) -> (h: [N]) {
    u = Learned(x) with (y = VALUE)
    h = u
}"""


@pytest.mark.parametrize(
    ("value", "parameters", "states"),
    [("0", set(), set()), ("x[t-1]", set(), {"x"}), ("2 * u.y[t-1]", {"u.y[0]"}, {"u.y"})],
)
def test_a_state_whose_past_is_given_has_an_initial_value_only_if_it_is_read(
    value: str, parameters: set[str], states: set[str]
) -> None:
    model = rc.parse(STATES.replace("VALUE", value)).compile(backend="numpy", dtype="float64", N=3)
    assert (set(model.parameters), set(model.states)) == (parameters, states)


def test_cells_in_the_given_values_are_named_by_the_states_they_stand_for() -> None:
    text = """
    use LSTM, Linear from library

    cell Named[N, H](x: [N]) -> (h: [H]) {
        h = tanh(LSTM[H](x) with (h = Linear[H](x) + Linear[H](x), c = Linear[H](x))) + Linear[H](x)
    }"""
    names = rc.parse(text).compile(backend="numpy", N=2, H=3).parameters
    assert {n.removesuffix(".W") for n in names if n.endswith(".W")} == {
        "h.LSTM.h[t-1].Linear",
        "h.LSTM.h[t-1].Linear_2",
        "h.LSTM.c[t-1].Linear",
        "h.Linear",
    }


@pytest.mark.parametrize("first", ["0", "Linear[N](last(z))"])
def test_an_equation_that_is_evaluated_once_more_uses_the_same_cells(first: str) -> None:
    """v is needed at an earlier step by what it needs itself. Its last Linear reads z, not what another one reads."""
    text = f"""
    use LSTM, Linear from library

    cell Again[N](x, z: [N]) -> (y: [N]) {{
        fn linear(a) = Linear[N](a)
        y = tanh(v[t-1])
        v = (LSTM[N](linear(x)) from (c = {first}) with (h = y)) + linear(z) + y
    }}"""
    model = rc.parse(text).compile(backend="numpy", dtype="float64", N=2)
    rng = np.random.default_rng(0)
    params, x = random_params(model, rng), rng.standard_normal((4, 1, 2))
    z = np.stack([x[0], -x[0], x[0], x[0]])  # the last one, which is the same, is read by what is behind `from`
    one, other = (model.forward(params, {"x": x, "z": a}).output for a in (x, np.concatenate([z[:3], x[3:]])))
    assert np.abs(one - other).max() > 0.01
    linear = {name.rpartition(".")[0] for name in model.parameters if "Linear" in name}
    assert linear == {"v.Linear", "v.Linear_2", *({"v.Linear_3"} if "Linear" in first else set())}


def test_with_is_a_name_like_any_other_elsewhere() -> None:
    text = """
    cell Named[H](x: [H], with: [H]) -> (h: [H]) {
        fn given(with) = with * with
        h = given(x) + with
        k = with
        loss sum(h) + sum(k)
    }"""
    rc.parse(text).check()


def test_the_clause_is_written_as_the_language_and_as_mathematics() -> None:
    text = (
        "use GRU from library\n\ncell A[H](x, b: [H]) -> (h: [H]) {\n    h = GRU[H](x)  with(h=b , )  when  sum(x)\n}\n"
    )
    text = text.replace(" , )", ")")
    formatted = format_file(text, "a.rnn")
    assert "h = GRU[H](x) with (h = b) when sum(x)" in formatted
    assert rc.parse(text).latex().count(r"\;\text{with}\; h_{t-1} = b_{t} \;\text{when}\;") == 1


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        ("from (h = 1) with (h = b)", "nothing reads the initial value of h"),
        ("with h = b", r"with \(h = below\)"),
        ("with (h = u.z)", "u.z needs itself at the same step"),
    ],
)
def test_what_cannot_be_is_refused(clause: str, words: str) -> None:
    text = f"use GRU from library\ncell A[H](x, b: [H]) -> (h: [H]) {{\n    u = GRU[H](x) {clause}\n    h = u\n}}\n"
    with pytest.raises(SpecError, match=words):
        rc.parse(text).check()


EVERYTHING = """
cell Inner[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal
    param a : [H]    ~ normal(0, 0.5)

    state h : [H] ~ uniform(0.5)
    state c : [H] = 0.25

    c = 0.7 * c[t-1] + tanh(W @ x + U @ h[t-1])
    h = tanh(a * c) + 0.1 * h[t-1]
}

cell Main[N, H](x: [N]) -> (y: [H]) {
    state h, c : [H] = 0.1

    u[1] = Inner[H](x) with (h = h[t-1], c = c[t-1])
    u[2] = Inner[1, H](0) with (h = u[1], c = zoneout(u[1].c, c[t-1], 0.2))
    v    = Inner[H](x) with (h = dropout(0.5 * v.h[t-1], 0.3) + u[1][t-2]) reset (sum(x) < -0.5)
    w    = Inner[H](x) when sigmoid(sum(x)) with (c = u[2])
    h    = u[2]
    c    = u[2].c
    y    = h + v * w

    loss squared_error(y, v.c)
}
"""


@pytest.mark.parametrize(
    "backend",
    ["numpy", *(pytest.param(name, marks=pytest.mark.long) for name in ("torch", "c", "cupy-emulated"))],
)
def test_every_backend_computes_it(backend: str) -> None:
    """Ragged lengths, chunks, steps, draws and second derivatives, of every combination of clauses."""
    case = Case({"N": 2, "H": 3}, {"t": 4}, batch=3, lengths={"t": (2, 4, 0)}, cuts=(1, 3), training=True, seed=2)
    assert not differences(rc.parse(EVERYTHING), case, backend)
