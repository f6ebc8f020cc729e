"""What a generated CuPy module says of arguments that it can't take, and of what it lacks to run; no GPU is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.backend import CupyBackend
from recurrency.backends.cupy.runtime import arguments

from recurrency.model.export import module_text
from tests.backends.cupy.test_module import REASON, WITH_LOSS, B, H, N, T, drawn, executed, host, models

emulated = pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")


@pytest.fixture(scope="module")
def small() -> tuple[Any, Any]:
    """The module of a cell with a loss, and the same cell by NumPy."""
    model, numpy = models(WITH_LOSS, N=N, H=H)
    return executed(module_text(model)), numpy


def called(module: Any, params: Any, **changed: Any) -> Any:
    """`forward`, with some arguments changed; inputs by their names."""
    inputs = {**drawn(), **{n: changed.pop(n) for n in ("x", "w") if n in changed}}
    return module.forward(params, changed.pop("inputs", inputs), **changed)


MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "parameters by name": ({"params": {"W": 0}}, TypeError, r"params is one vector .*; pack\(...\) makes it"),
    "too few parameters": ({"params": np.zeros(3)}, ValueError, r"params is \[3\]; this call needs \[44\]"),
    "an array as inputs": ({"inputs": np.zeros((T, B, N))}, TypeError, "the inputs are a dict of x, w, not ndarray"),
    "an unknown input": ({"inputs": {**drawn(), "z": 0}}, ValueError, "no z: the inputs are x, w"),
    "no axis of sequences": ({"x": np.zeros((T, N))}, ValueError, r"x is \[5, 2\]; it must be \[T, B, 2\]"),
    "a number": ({"x": 3.0}, ValueError, r"x is \[\]; it must be \[T, B, 2\]"),
    "an unknown state": ({"state": {"c": np.zeros((B, H))}}, ValueError, "no c: the states are h, t"),
    "states in a row": ({"state": (np.zeros((B, H)),)}, TypeError, "the states are a dict of h, t, not tuple"),
    "a state with steps": (
        {"state": {"h": np.zeros((1, B, H))}},
        ValueError,
        r"the initial h is \[1, 3, 4\]; this call needs \[3, 4\]",
    ),
    "lengths that are no counts": ({"lengths": [2.5, 3.0, 1.0]}, ValueError, "lengths are 3 whole numbers from 0 to 5"),
    "lengths of another clock": ({"lengths": {"s": [1, 2, 3]}}, ValueError, "no s: the clocks are t"),
    "complex numbers": ({"x": np.zeros((T, B, N), complex)}, TypeError, "x holds complex128; this module"),
    "symbols between two": ({"w": np.full((T, B), 0.5)}, TypeError, "w holds float64; this module needs int64"),
    "an unknown symbol": ({"w": np.full((T, B), 4)}, ValueError, "w holds 4 to 4; symbols go from 0 to 3"),
}


@emulated
@pytest.mark.parametrize("mistake", MISTAKES)
def test_arguments_that_do_not_fit_are_named(small: tuple[Any, Any], mistake: str) -> None:
    module, model = small
    changed, kind, message = MISTAKES[mistake]
    with pytest.raises(kind, match=message):
        called(module, **{"params": model.init(1), **changed})
    assert called(module, model.init(1))[0]["y"].shape == (T, B, H)


GRADIENTS: dict[str, tuple[tuple[Any, ...], type[Exception], str]] = {
    "of an unknown output": (({"h": 0},), ValueError, "no h: the outputs with gradients are y"),
    "of an unknown state": (({}, {"y": 0}), ValueError, "no y: the states with gradients are h"),
    "without a name": ((np.zeros((T, B, H)),), TypeError, "the outputs with gradients are a dict of y, not ndarray"),
    "of another shape": (({"y": np.zeros((T, B))},), ValueError, r"the gradient of y is \[5, 3\]; this call needs"),
}


@emulated
@pytest.mark.parametrize("mistake", GRADIENTS)
def test_gradients_that_do_not_fit_are_named(small: tuple[Any, Any], mistake: str) -> None:
    module, model = small
    given, kind, message = GRADIENTS[mistake]
    call = called(module, model.init(1))[2]
    with pytest.raises(kind, match=message):
        module.backward(call, *given)


@emulated
def test_lists_and_host_arrays_of_any_library_are_copied_to_the_device(small: tuple[Any, Any]) -> None:
    module, model = small
    params, inputs = model.init(1), drawn()
    wanted = host(module, module.forward(params, inputs)[0]["y"])

    class OnHost:
        """An array of another library in the memory of the host: it knows DLPack and nothing else."""

        def __init__(self, array: Any) -> None:
            self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__

    for made in (OnHost, np.ndarray.tolist):
        outputs, _, _ = module.forward(params, {n: made(a) for n, a in inputs.items()})
        np.testing.assert_array_equal(host(module, outputs["y"]), wanted)
    outputs, _ = module.step(params, {n: a[0].tolist() for n, a in inputs.items()})
    np.testing.assert_allclose(host(module, outputs["y"]), wanted[0], rtol=1e-12, atol=1e-13)


@emulated
def test_what_the_caller_does_to_host_arrays_later_changes_no_gradient(small: tuple[Any, Any]) -> None:
    module, model = small
    params, inputs, g = model.init(1), drawn(), {"y": np.ones((T, B, H))}
    wanted = host(module, module.backward(module.forward(params, inputs)[2], g)[0])
    call = module.forward(params, inputs)[2]
    inputs["x"][...], inputs["w"][...], params[...] = 7, 0, 3
    inputs.clear()
    np.testing.assert_array_equal(host(module, module.backward(call, g)[0]), wanted)


@emulated
def test_arrays_of_another_device_are_refused(small: tuple[Any, Any]) -> None:
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    module, model = small
    far = StandIn(number=1).asarray(drawn()["x"])
    with pytest.raises(ValueError, match="x is on the device 1; this call runs on the device 0"):
        called(module, model.init(1), x=far)


@emulated
def test_an_unknown_symbol_on_the_device_gives_nan_and_reads_nothing(small: tuple[Any, Any]) -> None:
    """To look at it beforehand would make the host wait for the device."""
    module, model = small
    w = drawn()["w"]
    w[2, 1], w[3, 0] = 2**28, -1
    found = host(module, called(module, model.init(1), w=module._xp().asarray(w))[0]["y"])
    wrong = np.zeros((T, B, H), bool)
    wrong[2:, 1] = True
    np.testing.assert_array_equal(np.isnan(found), wrong)


@emulated
def test_more_elements_than_32_bits_count_are_refused_before_they_are_copied(small: tuple[Any, Any]) -> None:
    module, model = small
    with pytest.raises(ValueError, match="x has 80,000,000,000 elements; at most 2,147,482,624 are possible: split"):
        called(module, model.init(1), x=np.broadcast_to(0.0, (200_000, 200_000, N)))


def test_ways_are_explained_without_a_device() -> None:
    module: dict[str, Any] = {}
    exec(module_text(models(WITH_LOSS, N=N, H=H)[0]), module)
    assert "forward_pass: h: step: about 1.5 us a step for 4 sequences" in module["explain"](T, 4)
    with pytest.raises(ValueError, match="plan is one of loop, step, split, gemm, not fast"):
        module["use"](plan="fast")


# --------------------------------------------------------------------------------------------------- what is missing


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def cupy_with(device: bool, nvrtc: Exception | None) -> Any:
    """What is looked at of an installed cupy."""
    version = raising(nvrtc) if nvrtc else lambda: (13, 0)
    cuda = SimpleNamespace(is_available=lambda: device, nvrtc=SimpleNamespace(getVersion=version))
    return SimpleNamespace(cuda=cuda, __path__=[])


@pytest.mark.parametrize(
    ("cupy", "message"),
    [
        (None, "cupy is not installed: pip install 'cupy-cuda13x"),
        (cupy_with(False, None), "there is no CUDA device"),
        (cupy_with(True, RuntimeError("no libnvrtc.so")), r"no NVRTC or no cuBLAS: pip install .*libnvrtc"),
        (cupy_with(True, None), r"no NVRTC or no cuBLAS: pip install .*cupy\.cublas"),
    ],
)
def test_what_is_missing_is_named_with_its_cure(cupy: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupy.cublas", None)  # it can't be imported
    with pytest.raises((ImportError, RuntimeError), match=message) as caught:
        arguments.installed()
    assert CupyBackend().available() == str(caught.value)
    module: dict[str, Any] = {}
    exec(module_text(models(WITH_LOSS, N=N, H=H)[0]), module)
    with pytest.raises((ImportError, RuntimeError), match=message):
        module["forward"](np.zeros(44), drawn())
