"""Exported Python x {resets, mask, lengths}: the numbers and gradients of the interpreter, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from recurrency.backend import find
from recurrency.model.export import module_files
from tests.support.forms import BAD, SIZES, Array, B, Form, T, cases, flags, inputs, params, seeds, spec, wanted


def source(backend: str, **taken: bool) -> str:
    return module_files(spec().compile(backend=backend, **SIZES), **taken).source


def executed(text: str) -> Any:
    module = ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), module.__dict__)
    return module


def of_functions(module: Any, host: Callable[[Any], Array]) -> Form:
    """A module of functions, for NumPy or CuPy."""

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        outputs, state, call = module.forward(params(), inputs(), **given)
        ones = {n: np.ones(host(a).shape) for n, a in state.items()}
        vector, gradients, _ = module.backward(call, seeds(), ones)
        out = {f"output:{n}": host(a) for n, a in outputs.items()} | {f"final:{n}": host(a) for n, a in state.items()}
        loss, *_ = module.loss_and_gradients(params(), inputs(), **given)
        assert loss == pytest.approx(spec().compile(backend="numpy", **SIZES).loss(params(), inputs(), **given), 1e-12)
        return {**out, "gradient": host(vector), "gradient:x": host(gradients["x"])}

    return run


@cache
def numpy_form() -> Form:
    return of_functions(executed(source("numpy", resets=True, masks=True)), np.asarray)


@cache
def cupy_form() -> Form:
    if why := find("cupy-emulated", run=False).available():
        pytest.skip(why)
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    module = executed(source("cupy-emulated", resets=True, masks=True))
    module.use(StandIn(memory=None))
    return of_functions(module, module._host)


@cache
def torch_form() -> Form:
    torch = pytest.importorskip("torch")
    module = executed(source("torch", resets=True)).Form(seed=0)
    views = spec().compile(backend="numpy", **SIZES).views(params())
    module.load_state_dict({n: torch.tensor(a) for n, a in views.items()})

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        arrays = {n: torch.tensor(a) for n, a in inputs().items()}
        arrays["x"].requires_grad_()
        found, state = module(arrays, **{n: torch.tensor(a) for n, a in given.items()})
        total = sum((a * torch.tensor(seeds()[n])).sum() for n, a in found.items()) + sum(
            map(torch.sum, state.values())
        )
        names = dict(module.named_parameters())
        gradients = torch.autograd.grad(total, [arrays["x"], *names.values()])
        named = dict(zip(names, gradients[1:], strict=True))
        vector = spec().compile(backend="numpy", **SIZES).pack({n: g.numpy() for n, g in named.items()})
        out = {f"output:{n}": a.detach().numpy() for n, a in found.items()}
        out |= {f"final:{n}": a.detach().numpy() for n, a in state.items()}
        return {**out, "gradient": vector, "gradient:x": gradients[0].numpy()}

    return run


FORMS = {"numpy": numpy_form, "torch": torch_form, "cupy": cupy_form}


@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize("form", FORMS)
def test_an_exported_form_has_the_numbers_of_the_interpreter(form: str, case: str) -> None:
    found = FORMS[form]()(cases()[case])
    assert found.keys() == wanted(case).keys()
    for name, array in wanted(case).items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(form: str, what: str) -> None:
    run = FORMS[form]()
    for array in BAD[what]:
        with pytest.raises(ValueError, match=what):
            run({what: array})


def test_a_file_without_resets_and_masks_has_no_such_arguments() -> None:
    module = executed(source("numpy"))
    for name in ("resets", "mask"):
        with pytest.raises(TypeError, match=name):
            module.forward(params(), inputs(), **{name: np.zeros((T, B))})
    assert "_Gap" not in source("numpy", resets=True)
    assert "_resets" not in source("numpy", masks=True)


def test_single_steps_of_a_module_take_resets() -> None:
    module, resets = executed(source("numpy", resets=True)), flags()[0]
    state, rows = None, []
    for t in range(T):
        now = {n: a[t] for n, a in inputs().items()}
        outputs, state = module.step(params(), now, state, resets=resets[t])
        rows.append(outputs["h"])
    np.testing.assert_allclose(rows, wanted("resets")["output:h"], rtol=0, atol=1e-13)
    for bad in (resets, np.full(B, np.nan)):
        with pytest.raises(ValueError, match="resets"):
            module.step(params(), {n: a[0] for n, a in inputs().items()}, None, resets=bad)
