"""Fixed arrays on every backend and in exported modules: small ones are lists in the source, large ones encoded."""

from __future__ import annotations

import copy
import re
import subprocess
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.python.module import executed, names_of

import recurrency as rc
from recurrency.graph.op import Array
from recurrency.model.export import module_files

SIZE = 17
"""A matrix of this size is too large for nested lists in the source."""
TEXT = """cell Fixed[N, H](x: [N]) -> (y: [H]) {
    const M    : [H, H] = given
    const W    : [H, H] ~ normal(0, 1) * spectral(0.9)
    const A    : [H, N] = matrix(i, j: 1 if i < j else (-0.9) ** (i - j))
    const E    : [H, H] = expm(M / 4)
    const bias : [H]    = vector(i: 1 / i)

    param V : [H, H] ~ orthogonal
    state h : [H] = bias

    h = tanh((M * W + E) @ (V @ h[t-1]) + A @ x + bias)
    y = h
    loss mean(y * y)
}
"""
BACKENDS = ("numpy", "torch", "c", "cupy-emulated")
RNG = np.random.default_rng(1)
MASK = (RNG.random((SIZE, SIZE)) < 0.2) * RNG.normal(size=(SIZE, SIZE))
X = RNG.normal(size=(4, 2, 3))


@cache
def model(backend: str, dtype: str = "float64") -> Any:
    return rc.parse(TEXT).compile(backend=backend, dtype=dtype, N=3, H=SIZE, M=MASK)


@cache
def expected() -> tuple[Array, float, Array, Array]:
    return results(model("interpreter"))


def results(compiled: Any) -> tuple[Array, float, Array, Array]:
    params = compiled.init(0)
    loss, gradients, _ = compiled.loss_and_gradients(params, X)
    return (
        compiled.forward(params, X).outputs["y"],
        loss,
        gradients.params,
        compiled.hvp(params, X, np.ones_like(params)),
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_and_derivatives_are_those_of_the_interpreter(backend: str) -> None:
    for found, wanted in zip(results(model(backend)), expected(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_an_exported_numpy_module_contains_the_arrays() -> None:
    source = module_files(model("numpy"), "").source
    assert "b64decode" in source
    module = executed(source, "numpy", "fixed")
    y = module["forward"](model("numpy").init(0), {"x": X})[0]["y"]
    np.testing.assert_allclose(y, expected()[0], rtol=1e-12, atol=1e-12)


def test_an_exported_torch_module_contains_the_arrays() -> None:
    torch = pytest.importorskip("torch")
    source = module_files(model("torch"), "").source
    module: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "exported", "exec"), module)
    network = module["Fixed"](dtype=torch.float64)
    with torch.no_grad():
        network.V.copy_(torch.as_tensor(model("torch").init(0).reshape(SIZE, SIZE)))
        y = network(torch.as_tensor(X))[0]
    np.testing.assert_allclose(y.numpy(), expected()[0], rtol=1e-12, atol=1e-12)


def test_a_torch_network_is_copied_with_its_arrays_and_keeps_them_in_another_dtype() -> None:
    torch = pytest.importorskip("torch")
    network = rc.parse(TEXT).module(N=3, H=SIZE, M=MASK, seed=0)
    with torch.no_grad():
        y = copy.deepcopy(network).double()(torch.as_tensor(X))[0]
    np.testing.assert_allclose(y.numpy(), expected()[0], rtol=1e-5, atol=1e-5)


def test_exported_c_compiles_without_a_warning(tmp_path: Path) -> None:
    files = module_files(model("c", "float32"), "")
    (tmp_path / "fixed.c").write_text(files.source)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run(["cc", *flags, str(tmp_path / "fixed.c")], check=True, cwd=tmp_path)


def test_c_reads_matrices_where_the_file_defines_them() -> None:
    source = module_files(model("c", "float32")).source
    there = set(re.findall(r"\(uintptr_t\)(array_\w+);", source))
    assert there
    for name in there:
        assert len(re.findall(rf"{name}\[", source)) == 1  # its definition


BEYOND = "cell T(x: []) -> (y: [2]) {\n    const C : [2] = vector(i: 1e30 * 10 ** (8 * i))\n    y = C * x\n}\n"
"""A constant of which the first element is in the range of float32."""


@pytest.mark.parametrize("backend", ["interpreter", *BACKENDS])
def test_an_element_beyond_the_dtype_is_an_error(backend: str) -> None:
    compiled = rc.parse(BEYOND).compile(backend=backend, dtype="float32")
    message = r"line 2 of <text> makes a fixed array whose element \[2\] \(counted from 1\) is 1e\+46; float32 ends at"
    with pytest.raises(rc.UsageError, match=message):
        compiled.forward(np.zeros(0), np.ones((1, 1)))
    wide = rc.parse(BEYOND).compile(backend=backend, dtype="float64")
    assert wide.forward(np.zeros(0), np.ones((1, 1))).outputs["y"].tolist() == [[[1e38, 1e46]]]
    if backend not in ("interpreter", "cupy-emulated"):
        with pytest.raises(rc.UsageError, match=message):
            module_files(compiled)


def test_a_module_refuses_an_element_beyond_its_dtype_when_it_is_called() -> None:
    torch = pytest.importorskip("torch")
    module = rc.parse(BEYOND).module()
    with pytest.raises(rc.UsageError, match="float32 ends at"):
        module(torch.ones(1, 1))
    assert module.double()(torch.ones(1, 1, dtype=torch.float64))[0][0, 0, 1] == 1e46


def test_a_large_array_in_a_text_costs_little_more_memory_than_the_text() -> None:
    text = f"x = \"{'A' * 3_000_000}\"\ny = '\\'{'B' * 3_000_000}' + z  # \"w"
    tracemalloc.start()
    try:
        assert names_of(text) == {"x", "y", "z"}
        assert tracemalloc.get_traced_memory()[1] < 3 * len(text)
    finally:
        tracemalloc.stop()
