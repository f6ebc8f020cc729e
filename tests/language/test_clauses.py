"""Clauses behind the use of a cell: `reset start`."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from tests.support.cells import random_params
from tests.support.resetting import LENGTHS, Two, close

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
