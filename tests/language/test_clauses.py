"""Clauses behind the use of a cell: `reset start`, `when m`."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from tests.support.cells import random_params
from tests.support.resetting import LENGTHS, Array, Two, close

USES = """
use LSTM, QRNN, Stacked from library

cell Inner[N, H](x: [N], s: []) -> (h: [H]) {
    h = LSTM[H](x) reset s
}

cell One[N, H](x: [N], s: []) -> (h: [H]) {
    h = CELL(x) reset s
}

cell Both[N, H](x: [N], s: [], r: []) -> (h: [H]) {
    h = Inner[H](x, s) reset r
}"""


@pytest.mark.parametrize("use", ["LSTM[H]", "QRNN[H]", "Stacked[H = H, L = 2]"])
def test_a_use_that_is_reset_gives_the_numbers_of_resets_at_run_time(use: str) -> None:
    own = rc.parse(USES.replace("CELL", use), cell="One").compile(backend="numpy", dtype="float64", N=3, H=4)
    plain = use.partition("[")[0]
    sizes = {"N": 3, "H": 4, **({"L": 2} if plain == "Stacked" else {})}
    model = rc.library.spec(plain).compile(backend="numpy", dtype="float64", **sizes)
    two = Two.of(model)
    params = own.pack({f"h.{n}" if f"h.{n}" in own.parameters else n: v for n, v in model.views(two.params).items()})
    start = {"s": 2.5 * two.resets["t"]}
    run = own.forward(params, {**two.inputs, **start}, lengths=LENGTHS["t"])
    wanted = model.forward(two.params, two.inputs, **two.whole)
    close(run.output, wanted.output)
    for name, array in wanted.state.items():
        close(run.state[f"h.{name}"], array)


def test_resets_of_uses_combine_with_those_around_them_and_with_the_callers() -> None:
    model = rc.parse(USES.replace("CELL", "LSTM[H]"), cell="Both").compile(backend="numpy", dtype="float64", N=3, H=4)
    rng = np.random.default_rng(0)
    params, x = random_params(model, rng), rng.standard_normal((9, 2, 3))
    flags = rng.random((3, 9, 2)) < 0.2
    none = np.zeros((9, 2))
    every_way = model.forward(params, {"x": x, "s": flags[0], "r": flags[1]}, resets=flags[2])
    wanted = model.forward(params, {"x": x, "s": none, "r": none}, resets=flags.any(0))
    close(every_way.output, wanted.output)


def test_a_reset_use_keeps_the_streams_around_it() -> None:
    """Only delays inside the use begin again: h[t-1] out here is the output of the step before."""
    text = USES.replace("h = CELL(x) reset s", "u = LSTM[H](x) reset s\n    h = u + u[t-1]")
    model = rc.parse(text, cell="One").compile(backend="numpy", dtype="float64", N=3, H=4)
    rng = np.random.default_rng(0)
    params, x = random_params(model, rng), rng.standard_normal((6, 2, 3))
    run = model.forward(params, {"x": x, "s": rng.random((6, 2)) < 0.4}, streams=["u"])
    close(run.output[1:], run["u"][1:] + run["u"][:-1])


def test_reset_is_a_name_like_any_other_elsewhere() -> None:
    text = """
    cell Named[H](x: [H], reset: []) -> (h: [H]) {
        fn when(reset) = reset * reset
        gate  = when(x)
        h     = reset * gate + h[t-1]
        other = tanh(x)
        loss sum(h) + sum(other) * reset
    }"""
    rc.parse(text).check()


# ------------------------------------------------------------------------------------------------------------ when

HELD = """
use LSTM, QRNN from library

cell Delays[N](x: [N]) -> (y: [N]) {
    param w : [N] ~ ones
    state y : [N] = 0.5

    z = w * x
    y = 0.5 * z[t-3] + w * tanh(y[t-2]) + 0.3 * x * y[t-1]
}

cell Held[N, H](x: [N], m: []) -> (h: [SIZE]) {
    u = CELL(x) when m
    h = u
}

cell Mixed[N](x: [N], m: [], r: []) -> (h: [N], k: [N]) {
    u = Delays(x) when m reset r
    h = u
    k = u.z
}

cell Nested[N](x: [N], m: [], r: []) -> (h: [N]) {
    h = Inner(x, m) when r
}

cell Inner[N](x: [N], m: []) -> (h: [N]) {
    h = Delays(x) when m
}"""


@pytest.mark.parametrize("use", ["LSTM[H]", "QRNN[H]", "Delays"])
def test_a_held_use_has_the_numbers_of_the_steps_at_which_it_moves(use: str) -> None:
    plain, size = use.partition("[")[0], "H" if "[" in use else "N"
    text = HELD.replace("CELL", use).replace("SIZE", size)
    held = rc.parse(text, cell="Held").compile(backend="numpy", dtype="float64", N=3, H=4)
    spec = rc.parse(text, cell="Delays") if plain == "Delays" else rc.library.spec(plain)
    sizes = {"N": 3, **({} if plain == "Delays" else {"H": 4})}
    model = spec.compile(backend="numpy", dtype="float64", **sizes)
    rng = np.random.default_rng(0)
    own = random_params(model, rng)
    params = held.pack({f"u.{n}": v for n, v in model.views(own).items()})
    x, m = rng.standard_normal((9, 2, 3)), rng.random((9, 2)) < 0.6
    run, alone = held.forward(params, {"x": x, "m": m * 1.0}), model.forward(own, x, mask=m)
    begun = (np.cumsum(m, 0) > 0)[..., None]
    close(run.output * begun, alone.output)
    for name, array in alone.state.items():
        close(run.state[f"u.{name}"], array)
    seeds = begun * rng.standard_normal(run.output.shape)
    found, wanted = held.backward(run, seeds), model.backward(alone, seeds)
    close(found.inputs["x"], wanted.inputs["x"])
    close(found.params, held.pack({f"u.{n}": v for n, v in model.views(wanted.params).items()}))


@pytest.mark.parametrize("word", ["reset", "when"])
def test_a_stream_without_a_declaration_that_another_one_reads_first_is_changed_too(word: str) -> None:
    """Its shape is found where it is first read; all delays of it follow the clause, those in its equation too."""
    text = f"""
    cell Inner[N](x: [N]) -> (y: [N]) {{
        y = tanh(s[t-1]) + s[t-2]
        s = x + 0.5 * s[t-1]
    }}

    cell Outer[N](x: [N], m: []) -> (y: [N]) {{
        u = Inner(x) {word} m
        y = u
    }}"""
    own, plain = (rc.parse(text, cell=c).compile(backend="numpy", dtype="float64", N=2) for c in ("Outer", "Inner"))
    rng = np.random.default_rng(0)
    x, m = rng.standard_normal((9, 3, 2)), rng.random((9, 3)) < 0.5
    run = own.forward(own.init(), {"x": x, "m": m * 1.0})
    wanted = plain.forward(plain.init(), x, **{"mask" if word == "when" else "resets": m})
    close(run.output, wanted.output)
    for name, array in wanted.state.items():
        close(run.state[f"u.{name}"], array)


def registers(x: Array, m: Array, r: Array, w: Array) -> tuple[Array, Array, list[Array], list[Array]]:
    """`Mixed`, register by register: h, k, and the registers of y and z after the last step, the newest first."""
    y, z = [np.full(x.shape[1:], 0.5)] * 2, [np.zeros(x.shape[1:])] * 3
    h, k = [], []
    for x_t, m_t, r_t in zip(x, m[..., None], r[..., None], strict=True):
        y, z = [np.where(r_t, 0.5, v) for v in y], [np.where(r_t, 0.0, v) for v in z]
        new_z = w * x_t
        new_y = 0.5 * z[2] + w * np.tanh(y[1]) + 0.3 * x_t * y[0]
        y = [m_t * a + (1 - m_t) * b for a, b in zip((new_y, *y[:-1]), y, strict=True)]
        z = [m_t * a + (1 - m_t) * b for a, b in zip((new_z, *z[:-1]), z, strict=True)]
        h.append(y[0])
        k.append(z[0])
    return np.array(h), np.array(k), y, z


@pytest.mark.parametrize("backend", ["interpreter", "numpy"])
def test_masks_between_0_and_1_mix_and_resets_come_first(backend: str) -> None:
    model = rc.parse(HELD.replace("SIZE", "H").replace("CELL", "LSTM[H]"), cell="Mixed").compile(
        backend=backend, dtype="float64", N=3
    )
    rng = np.random.default_rng(0)
    params, x = random_params(model, rng), rng.standard_normal((9, 2, 3))
    m, r = np.clip(rng.uniform(-0.5, 1.5, (9, 2)), 0, 1), rng.random((9, 2)) < 0.2
    inputs = {"x": x, "m": m, "r": r * 1.0}
    run = model.forward(params, inputs)
    h, k, y, z = registers(x, m, r, model.views(params)["u.w"])
    close(run["h"], h)
    close(run["k"], k)
    close(run.state["u.y"], y[0])
    close(run.state["u.y[t-1]"], y[1])
    close(run.state["u.z[t-2..t-1]"], np.stack([z[2], z[1]], 1))
    state = None
    for t in range(9):
        outputs, state = model.step(params, {n: a[t] for n, a in inputs.items()}, state)
        close(outputs["h"], h[t])


def test_the_gradient_of_a_mask_is_that_of_the_mixture() -> None:
    model = rc.parse(HELD.replace("SIZE", "H").replace("CELL", "LSTM[H]"), cell="Mixed").compile(
        backend="numpy", dtype="float64", N=3
    )
    rng = np.random.default_rng(1)
    params, x = random_params(model, rng), rng.standard_normal((6, 2, 3))
    m, seeds, along = rng.integers(0, 2, (6, 2)) * 1.0, rng.standard_normal((6, 2, 3)), rng.standard_normal((6, 2))

    def value(mask: Array) -> float:
        return float((model.forward(params, {"x": x, "m": mask, "r": np.zeros((6, 2))})["h"] * seeds).sum())

    run = model.forward(params, {"x": x, "m": m, "r": np.zeros((6, 2))})
    found = float((model.backward(run, {"h": seeds}).inputs["m"] * along).sum())
    assert found == pytest.approx((value(m + 1e-5 * along) - value(m - 1e-5 * along)) / 2e-5, rel=1e-7)


def test_masks_around_one_another_multiply() -> None:
    text = HELD.replace("SIZE", "H").replace("CELL", "LSTM[H]")
    nested = rc.parse(text, cell="Nested").compile(backend="numpy", dtype="float64", N=3)
    mixed = rc.parse(text, cell="Mixed").compile(backend="numpy", dtype="float64", N=3)
    rng = np.random.default_rng(2)
    params, x = random_params(nested, rng), rng.standard_normal((9, 2, 3))
    m, r = rng.random((2, 9, 2)) < 0.7
    both = nested.forward(params, {"x": x, "m": m * 1.0, "r": r * 1.0})
    one = mixed.forward(params, {"x": x, "m": (m & r) * 1.0, "r": np.zeros((9, 2))})
    begun = (np.cumsum(m & r, 0) > 0)[..., None]
    close(both["h"] * begun, one["h"] * begun)


@pytest.mark.parametrize("backend", ["interpreter", "numpy"])
def test_what_a_comparison_leaves_out_need_not_be_finite(backend: str) -> None:
    text = "cell Grow(x: []) -> (h: []) { state h : [] = 0\n h = exp(x) + 0.5 * h[t-1] }\n"
    held = rc.parse(text + "cell Held(x, m: []) -> (y: []) { y = Grow(x) when (m > 0) }").compile(
        backend=backend, dtype="float64"
    )
    none, m = np.zeros(0), np.array([[0.0], [1.0], [0.0], [1.0]])
    x = np.array([[1e4], [0.3], [-1e4], [0.7]])
    run = held.forward(none, {"x": x, "m": m})
    first = np.exp(0.3)
    close(run["y"], np.array([[0.0], [first], [first], [np.exp(0.7) + 0.5 * first]]))
    close(
        held.backward(run, {"y": np.ones((4, 1))}).inputs["x"], np.array([[0.0], [2.5 * first], [0.0], [np.exp(0.7)]])
    )
