"""Inputs that only the loss reads may be left out where no loss is wanted, alike in models, modules and files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend
from recurrency.model.export import module_text
from recurrency.model.spec import Spec

TEXT = """
cell Learned[N](x: [N], target: [N]) -> (y: [N]) {
    param w : [N] ~ constant(0.5)
    state y : [N] = 0
    y = tanh(w * x + y[t-1])
    error = y - target
    loss squared_error(y, target)
}
"""
X = np.random.default_rng(0).standard_normal((4, 3, 2))
BACKENDS = ("interpreter", "numpy", "torch", "c", "cupy-emulated")


def spec() -> Spec:
    return rc.parse(TEXT)


def compiled(name: str, **options: Any) -> Any:
    """The cell on a backend, where that can run."""
    reason = backend.describe(emulated=True).get(name)
    if reason:
        pytest.skip(f"{name}: {reason}")
    return spec().compile(backend=name, dtype="float64", N=2, **options)


@pytest.mark.parametrize("options", [{}, {"checkpoint": 2}])
@pytest.mark.parametrize("name", BACKENDS)
def test_a_model_needs_no_target_for_outputs_and_their_gradients(name: str, options: dict[str, Any]) -> None:
    model = compiled(name, **options)
    params = model.init(0)
    whole = model.forward(params, {"x": X, "target": X})
    for inputs in (X, {"x": X}):
        run = model.forward(params, inputs)
        assert np.array_equal(run.output, whole.output)
        ours, theirs = (model.backward(r, np.ones_like(X)) for r in (run, whole))
        assert np.array_equal(ours.params, theirs.params)
        assert list(ours.inputs) == ["x"]
        assert np.array_equal(model.vjp(params, inputs, np.ones_like(X)).params, theirs.params)
    first, _ = model.step(params, X[0])
    np.testing.assert_allclose(first["y"], whole.output[0], rtol=1e-14)


def test_what_is_needed_is_asked_for() -> None:
    model = compiled("numpy")
    params = model.init(0)
    for call in (
        lambda: model.loss(params, {"x": X}),
        lambda: model.loss_and_gradients(params, {"x": X}),
        lambda: model.forward(params, {"x": X}, streams=["error"]),
    ):
        with pytest.raises(rc.UsageError, match=r"Learned has the inputs x, target; given are no target$"):
            call()
    with pytest.raises(rc.UsageError, match=r"given are no target and an unknown targt$"):
        model.forward(params, {"x": X, "targt": X})
    with pytest.raises(rc.UsageError, match=r"given are no x$"):
        model.forward(params, {"target": X})


@pytest.mark.parametrize("name", ["numpy", "cupy-emulated"])
def test_a_file_of_arrays_needs_no_target(name: str) -> None:
    model = compiled(name)
    module: dict[str, Any] = {"__name__": "generated"}
    exec(module_text(model), module)
    if name == "cupy-emulated":
        from recurrency.backends.cupy.emulated.stand_in import StandIn

        module["use"](StandIn())
    params = model.init(0)
    outputs, _, call = module["forward"](params, {"x": X})
    wanted = model.forward(params, X)
    assert np.array_equal(getattr(outputs["y"], "host", outputs["y"]), wanted.output)
    gradient, inputs, _ = module["backward"](call, {"y": np.ones_like(X)})
    assert np.array_equal(getattr(gradient, "host", gradient), model.backward(wanted, np.ones_like(X)).params)
    assert list(inputs) == ["x"]
    module["step"](params, {"x": X[0]})
    for wrong, function in (
        ({"x": X}, "loss_and_gradients"),
        ({"target": X}, "forward"),
        ({"x": X, "q": X}, "forward"),
    ):
        with pytest.raises(ValueError, match=r"target|x|q"):
            module[function](params, wrong)


def test_a_module_of_pytorch_needs_no_target() -> None:
    torch = pytest.importorskip("torch")
    module: dict[str, Any] = {"__name__": "generated"}
    exec(module_text(compiled("torch")), module)
    x = torch.from_numpy(X)
    for network in (spec().module(N=2, dtype=torch.float64), module["Learned"](dtype=torch.float64)):
        assert torch.equal(network(x)[0], network(x=x, target=x)[0])
