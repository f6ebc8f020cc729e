"""The plan `split`: the rule for its tiles, and its numbers at sizes that fit no tile, in all orders of threads."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy import check as nvrtc
from recurrency.backends.cupy import tiles
from recurrency.backends.cupy.emulated import compiler
from recurrency.backends.cupy.emulated.shim import ORDERS
from recurrency.backends.cupy.emulated.stand_in import StandIn

import recurrency as rc
from recurrency import backend, library
from recurrency.model.export import module_text
from recurrency.model.model import Model

emulated = pytest.mark.skipif(compiler.obstacle() is not None, reason=f"cupy-emulated: {compiler.obstacle()}")
needs_nvrtc = pytest.mark.skipif(nvrtc.obstacle() is not None, reason=f"kernels not compiled: {nvrtc.obstacle()}")

TWO = """
cell Two[H, K](x: [H]) -> (h: [H], m: [K]) {
    param U, V, W : [H, H] ~ glorot_uniform
    param P : [H, K] ~ glorot_uniform
    param Q : [K, H] ~ glorot_uniform
    param g : [H] ~ uniform(1)
    state h : [H] ~ uniform(1)
    state m : [K] = 0
    f = sigmoid(U @ h[t-1] + P @ m[t-1] + x)
    h = f * h[t-1] + (1 - f) * tanh(V @ h[t-1] + W @ (f * h[t-1])) + g * mean(h[t-1])
    m = tanh(Q @ h)
}
"""
"""Stages with several products, of operands of two sizes, one of them computed where it is read; and one with a sum."""

PLAIN = """
cell Plain[H](x: [H]) -> (h: [H]) {
    param U : [H, H] ~ glorot_uniform
    state h : [H] = 0
    h = tanh(U @ h[t-1] + x)
}
"""


# ------------------------------------------------------------------------------------------------------------ the rule


def test_the_tiles_of_an_lstm_are_those_of_the_documentation() -> None:
    forward, back = tiles.tile(1, 768, [(768, 4)], 4), tiles.tile(1, 768, [(3072, 1)], 4)
    assert forward is not None
    assert back is not None
    assert (forward.blocks, forward.units, forward.threads) == (96, 8, 384)
    assert (back.blocks, back.units, back.threads) == (96, 8, 384)
    assert tiles.shared(forward, 16, 4) == 27648


@pytest.mark.parametrize(("outer", "inner", "itemsize"), [*product((1, 4), (1, 5, 130, 768, 2049), (4, 8))])
@pytest.mark.parametrize("products", [[(1, 1)], [(37, 4)], [(768, 3), (768, 1)], [(3072, 1)], [(768, 40)]])
def test_a_tile_has_all_units_and_terms_and_fits_a_block(outer: int, inner: int, itemsize: int, products: Any) -> None:
    made = tiles.tile(outer, inner, products, itemsize)
    assert made is not None
    assert made.outer * inner <= made.blocks * made.units < made.outer * (inner + made.units)
    assert 32 <= made.threads <= 384
    for (terms, count), part in zip(products, made.parts, strict=True):
        assert made.units * count <= part.columns == part.lanes * part.vector
        assert part.lanes * part.groups == 32
        assert terms <= part.rounds * part.groups * part.vector < terms + part.groups * part.vector
    assert tiles.shared(made, 16, itemsize) <= 48 * 1024


def test_more_columns_than_a_tile_can_have_are_left_to_single_threads() -> None:
    assert tiles.tile(1, 10, [(10, 65)], 4) is None
    assert tiles.tile(1, 10, [], 4) is None


@pytest.mark.parametrize(("batch", "size"), [(1, 4), (4, 4), (5, 16), (16, 16), (100, 16)])
def test_the_batch_chooses_the_sequences_of_a_block(batch: int, size: int) -> None:
    assert tiles.sequences(batch) == size


# ------------------------------------------------------------------------------------------------------------- numbers


@cache
def models(cell: str, dtype: str, sizes: tuple[tuple[str, int], ...]) -> tuple[Any, Any]:
    """A cell for the device, and by NumPy in float64."""
    spec = rc.parse(cell) if "{" in cell else library.spec(cell)
    elaborated = spec.elaborate(**dict(sizes))
    found = backend.find("cupy", run=False)
    return Model(spec, elaborated, found, dtype), Model(spec, elaborated, backend.find("numpy"), "float64")


def executed(text: str, order: str = "forward") -> Any:
    """The functions of a module, on a device of their own, with the plan `split`."""
    module: dict[str, Any] = {}
    exec(compile(text, "generated.py", "exec"), module)
    module["use"](StandIn(order), "split")
    return module


def arrays(model: Any, steps: int, batch: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Parameters, input and the gradients of the outputs."""
    rng = np.random.default_rng(seed)
    params = rng.standard_normal(model.init(0).size) * 0.5
    (x,) = ((steps, batch, *found.shape) for found in model.inputs.values())
    outputs = {name: (steps, batch, *found.shape) for name, found in model.outputs.items()}
    return params, rng.standard_normal(x), {name: rng.standard_normal(shape) for name, shape in outputs.items()}


def results(module: Any, params: Any, x: Any, dy: Any, lengths: Any = None) -> list[Any]:
    """Outputs, final states and all gradients, on the host."""
    outputs, state, call = module["forward"](params, {"x": x}, lengths=lengths)
    gradient, inputs, starts = module["backward"](call, dy)
    host = module["_xp"]().asnumpy
    return [*map(host, [*outputs.values(), *state.values(), gradient, *inputs.values(), *starts.values()])]


def wanted(model: Any, params: Any, x: Any, dy: Any, lengths: Any = None) -> list[Any]:
    run = model.forward(params, x, lengths=lengths)
    back = model.backward(run, dy)
    return [*run.outputs.values(), *run.state.values(), back.params, *back.inputs.values(), *back.state.values()]


def differs(found: list[Any], want: list[Any]) -> float:
    """The greatest difference, as a part of the greatest number; NaN where one is NaN."""
    worst = [
        np.max(np.abs(a - b), initial=0) / max(1, np.max(np.abs(b), initial=0))
        for a, b in zip(found, want, strict=True)
    ]
    return float(np.max(worst))


SIZES = [(1, 1), (3, 5), (17, 37), (33, 12), (5, 130)]
"""Sequences and units: one, fewer than a tile has, a few more."""


@emulated
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("multiprocessors", [132, 1])
@pytest.mark.parametrize(
    ("batch", "units"), [pytest.param(*s, marks=() if max(s) < 20 else pytest.mark.long) for s in SIZES]
)
def test_sizes_that_fit_no_tile(
    batch: int, units: int, multiprocessors: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one multiprocessor, a block has many units, and several warps."""
    monkeypatch.setattr(tiles, "MULTIPROCESSORS", multiprocessors)
    model, plain = models(TWO, dtype, (("H", units), ("K", 3)))
    module = executed(module_text(model))
    lengths = np.arange(batch) % 4
    data = arrays(plain, 3, batch)
    tolerance = {"float64": 1e-12, "float32": 2e-5}[dtype]
    assert differs(results(module, *data, lengths), wanted(plain, *data, lengths)) < tolerance
    assert any("_tile_" in launched.name for launched in module["_xp"]().launches)


@emulated
@pytest.mark.parametrize("name", ["MultiHeadSLSTM", pytest.param("GatedFeedbackLSTM", marks=pytest.mark.long)])
def test_products_of_each_head_and_many_gates_are_tiles_too(name: str) -> None:
    sizes = {"MultiHeadSLSTM": {"N": 3, "M": 2, "D": 5}, "GatedFeedbackLSTM": {"N": 3, "H": 9, "L": 2}}[name]
    model, plain = models(name, "float64", tuple(sizes.items()))
    module, data = executed(module_text(model)), arrays(plain, 3, 5)
    assert differs(results(module, *data), wanted(plain, *data)) < 1e-12
    assert any("_tile_" in launched.name for launched in module["_xp"]().launches)


@emulated
def test_a_sequence_has_the_same_bits_in_every_batch_and_every_order_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiles, "MULTIPROCESSORS", 2)
    model, plain = models(PLAIN, "float32", (("H", 30),))
    text = module_text(model)
    params, x, dy = arrays(plain, 3, 18)
    want: Any = None
    for batch, order in [*((18, order) for order in ORDERS), (16, "forward"), (3, "forward")]:
        found = results(executed(text, order), params, x[:, :batch], {"h": dy["h"][:, :batch]})
        one = found[0][:, :3], found[3][:, :3]
        want = want or one
        for first, other in zip(want, one, strict=True):
            np.testing.assert_array_equal(first, other)


PAIR = """
cell Pair[H, K](x: [K]) -> (m: [K]) {
    param P : [H, K] ~ glorot_uniform
    param Q : [K, H] ~ glorot_uniform
    state m : [K] ~ uniform(1)
    h = tanh(P @ m[t-1])
    m = tanh(Q @ h + x)
}
"""
FAULTS = {
    "no barrier": ("__syncthreads();", ""),
    "no end of units": (" || unit >= 90) continue", ") continue"),
    "no end of sequences": ("if (b >= B || ", "if ("),
    "a warp left out": ("w < 6; ++w", "w < 5; ++w"),
    "another lane": ("given, 16)", "given, 8)"),
    "the wrong sequences": ("mine += high ? 2 : 0;", ""),
    "weights of the round before": ("weight[j] = next[j];", ""),
    "the units of another block": ("unit = tile % 3 * 32 + at % 32", "unit = tile % 3 * 31 + at % 32"),
}
"""What is replaced in the kernels of a cell with 12 and 90 units: 6 warps with 12 rounds, and 3 blocks of 32 units."""


@emulated
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_shows(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "MULTIPROCESSORS", 1)
    model, plain = models(PAIR, "float64", (("H", 12), ("K", 90)))
    text, data = module_text(model), arrays(plain, 2, 3)
    assert differs(results(executed(text), *data), wanted(plain, *data)) < 1e-12
    old, new = FAULTS[fault]
    assert old in text
    try:
        found = differs(results(executed(text.replace(old, new)), *data), wanted(plain, *data))
    except MemoryError:
        return
    assert not found < 1e-6


# ------------------------------------------------------------------------------------------------ a block per sequence

NORMED = """
cell Normed[H](x: [H]) -> (h: [H]) {
    param U : [H, H] ~ glorot_uniform
    param W : [H, H, H] ~ normal(0, 0.1)
    state h : [H] ~ uniform(1)
    a = layer_norm(U @ h[t-1] + x)
    s = einsum("j,j->", a, h[t-1]) / (1 + max(abs(a)))
    h = layer_norm(softmax(a) * s + einsum("ijk,j,k->i", W, a, h[t-1]))
}
"""
"""Stages with sums of one element and of many, peaks, and products of three values."""


@emulated
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("units", [1, pytest.param(5, marks=pytest.mark.long), 40])
def test_blocks_of_one_sequence_compute_what_is_between_products(units: int, dtype: str) -> None:
    model, plain = models(NORMED, dtype, (("H", units),))
    module, data = executed(module_text(model)), arrays(plain, 3, 3)
    found, want = results(module, *data, [3, 1, 0]), wanted(plain, *data, [3, 1, 0])
    assert differs(found, want) < {"float64": 1e-11, "float32": 1e-4}[dtype]
    assert any("_rows_" in launched.name for launched in module["_xp"]().launches)


def launches_of(text: str, plan: str) -> int:
    """The launches of one step forwards."""
    method = text.split(f"def scan_0_{plan}(")[1].split("def ")[0].split("for t in")[1]
    return method.count("launch")


def test_a_layer_norm_is_one_launch_besides_the_products() -> None:
    text = module_text(models("LayerNormLSTM", "float32", (("N", 5), ("H", 768)))[0])
    assert launches_of(text, "step") == 9
    assert launches_of(text, "split") == 2


BETWEEN = {
    "no sum of a warp": ("LayerNormLSTM", "= sum_of_warp(total_)", "= total_"),
    "no sum of the warps": ("LayerNormLSTM", "total_ = part.at[0] + part.at[1];", "total_ = part.at[0];"),
    "no barrier in a sum": ("LayerNormLSTM", "    }\n    __syncthreads();", "    }"),
    "no peak of a warp": (NORMED, "own = greater_of(own, ", "own = (own, "),
    "no barrier between stages": (NORMED, "    }\n    __syncthreads();\n    #pragma", "    }\n    #pragma"),
}
"""A cell, and what is replaced in its kernels for 64 units, whose sums are those of two warps."""


@emulated
@pytest.mark.parametrize("fault", BETWEEN)
def test_a_fault_between_stages_shows(fault: str) -> None:
    cell, old, new = BETWEEN[fault]
    sizes = (("H", 64),) if cell is NORMED else (("N", 3), ("H", 64))
    model, plain = models(cell, "float64", sizes)
    text, data = module_text(model), arrays(plain, 2, 3)
    assert differs(results(executed(text), *data), wanted(plain, *data)) < 1e-12
    assert old in text
    assert not differs(results(executed(text.replace(old, new)), *data), wanted(plain, *data)) < 1e-6


# ----------------------------------------------------------------------------------------------------------- registers


@needs_nvrtc
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["LSTM", *(pytest.param(n, marks=pytest.mark.long) for n in ("GRU", "SLSTM"))])
def test_tiles_of_768_units_do_not_spill(name: str, dtype: str) -> None:
    """A block of 384 threads leaves 168 of 65536 registers to each of them."""
    model, _ = models(name, dtype, (("N", 768), ("H", 768)))
    code = nvrtc.kernel_texts(module_text(model))[1]
    for arch in (80, 90):
        usages = [usage for usage in nvrtc.compiled(code, arch) if "_tile_" in usage.name]
        assert len(usages) >= 4
        assert not any(usage.spilled for usage in usages)
        assert all(usage.registers <= 65536 // 192 for usage in usages)
