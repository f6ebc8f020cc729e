"""Networks on PyTorch: first and second derivatives of every cell, and of functions of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import recurrency as rc
from tests.support.specimens import SPECIMENS
from tests.support.torch_modules import (
    CELLS,
    QUIET,
    flat,
    inputs_of,
    lengths_of,
    lstm,
    random,
    shared,
    spec_of,
    state_of,
    torch,
)
from tests.support.usual import some

pytestmark = QUIET


class Loss(torch.nn.Module):
    """A module whose call is the loss of another."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        return self.module.loss_and_state(*arguments, **keywords)


def function(module: Any, lengths: Any) -> tuple[Callable[..., Any], list[Any]]:
    """The real results as a function of all that is real: one vector of parameters, of inputs and of first states."""
    inner = getattr(module, "module", module)
    groups = [dict(module.named_parameters()), inputs_of(inner), state_of(inner)]
    real = [{n: value for n, value in group.items() if value.is_floating_point()} for group in groups]

    def call(*vectors: Any) -> tuple[Any, ...]:
        rest = iter(vectors)
        params, x, s = (
            {**group, **parts(next(rest), own)} if own else group for group, own in zip(groups, real, strict=True)
        )
        found = torch.func.functional_call(module, params, (x,), {"state": s, "lengths": lengths, "seed": 3})
        return tuple(flat(found))

    return call, [torch.cat([v.detach().flatten() for v in own.values()]).requires_grad_() for own in real if own]


def parts(vector: Any, like: dict[str, Any]) -> dict[str, Any]:
    """The values in a vector, by name."""
    pieces = vector.split([value.numel() for value in like.values()])
    return {name: piece.view(value.shape) for (name, value), piece in zip(like.items(), pieces, strict=True)}


def agree(module: Any, lengths: Any = None, twice: bool = True) -> None:
    """First and second derivatives are those that differences give."""
    call, tensors = function(module, lengths)
    assert torch.autograd.gradcheck(call, tensors, fast_mode=True)
    assert not twice or torch.autograd.gradgradcheck(call, tensors, fast_mode=True)


WITH_LOSS = [name for name in CELLS if "loss " in spec_of(name).cell.span.text]


@pytest.mark.parametrize("name", some(CELLS, 3))
def test_derivatives_of_first_and_second_order_agree_with_differences(name: str) -> None:
    module, twice = shared(name), name not in WITH_LOSS or name in SPECIMENS
    agree(module, None, twice)
    agree(module, lengths_of(module), twice)


@pytest.mark.parametrize("name", some(WITH_LOSS, 2))
def test_derivatives_of_losses_agree_with_differences(name: str) -> None:
    module = Loss(shared(name))
    agree(module)
    agree(module, lengths_of(module.module))


@pytest.mark.parametrize("name", ["two states", "LSTM"])
def test_gradients_flow_through_inner_streams(name: str) -> None:
    agree(shared(name, streams=True))


def test_third_derivatives_are_refused() -> None:
    x = random(5, 2, 3, requires_grad=True)
    (g,) = torch.autograd.grad(lstm()(x)[0].square().sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.square().sum(), x, create_graph=True)
    with pytest.raises(rc.UsageError, match="LSTM has first and second derivatives; third"):
        torch.autograd.grad(h.square().sum(), x)


def test_what_a_result_does_not_depend_on_has_no_gradient() -> None:
    module = lstm()
    module(random(1, 2, 3))[1]["c"].sum().backward()
    assert module.W_i.grad.all()
    assert not module.W_o.grad.any()  # the output gate comes after the memory


def test_frozen_parameters_get_no_gradient_and_inputs_do() -> None:
    module, x = lstm(), random(5, 2, 3, requires_grad=True)
    module.requires_grad_(False)
    module(x)[0].sum().backward()
    assert x.grad is not None
    assert module.W_i.grad is None


# ---------------------------------------------------------------------------------------------------- torch.func


def energy(module: Any) -> Callable[[Any, Any], Any]:
    return lambda params, x: torch.func.functional_call(module, params, (x,))[0].square().sum()


def gradients(module: Any, x: Any) -> dict[str, Any]:
    """The gradients of the energy by backward()."""
    module.zero_grad()
    module(x)[0].square().sum().backward()
    return {name: p.grad.clone() for name, p in module.named_parameters()}


def detached(module: Any) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def test_functional_gradients_are_those_of_backward() -> None:
    module, x = lstm(), random(5, 2, 3)
    found = torch.func.grad(energy(module))(detached(module), x)
    torch.testing.assert_close(found, gradients(module, x))


def test_gradients_of_functional_gradients() -> None:
    module, x = lstm(), random(4, 2, 3)
    params = detached(module)
    of_bias = lambda b: energy(module)({**params, "b_i": b}, x)  # noqa: E731
    hessian = torch.func.jacrev(torch.func.jacrev(of_bias))(params["b_i"])
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(of_bias, params["b_i"]))


def test_vmap_gives_the_gradients_of_each_sequence() -> None:
    module, x = lstm(), random(5, 2, 3)
    alone = torch.func.grad(lambda p, x: energy(module)(p, x.unsqueeze(1)))
    found = torch.vmap(alone, in_dims=(None, 1))(detached(module), x)
    torch.testing.assert_close({name: g.sum(0) for name, g in found.items()}, gradients(module, x))
    assert found["W_i"].shape == (2, 4, 3)


def _of_inputs(module: Any, x: Any) -> Any:
    return module(dual(x))


def _of_parameters(module: Any, x: Any) -> Any:
    return torch.func.functional_call(module, {name: dual(p) for name, p in detached(module).items()}, (x,))


def _of_a_state(module: Any, x: Any) -> Any:
    return module(x, state={"h": dual(random(2, 4))})


def _of_a_loss(module: Any, x: Any) -> Any:
    return rc.library.Music.module(N=3, H=4, dtype=torch.float64).loss(dual(x))


def _of_adjoints(module: Any, x: Any) -> Any:
    h, _ = module(x)
    return torch.autograd.grad(h, [module.W_i], dual(torch.ones_like(h)))


def dual(x: Any) -> Any:
    return torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("run", [_of_inputs, _of_parameters, _of_a_state, _of_a_loss, _of_adjoints])
def test_tangents_are_refused(run: Any, recorded: bool) -> None:
    module = lstm().requires_grad_(recorded or run is _of_adjoints)
    with torch.autograd.forward_ad.dual_level(), pytest.raises(rc.UsageError, match="forward mode"):
        run(module, random(5, 2, 3))


def test_a_call_without_tangents_is_as_usual_where_others_have_them() -> None:
    module, x = lstm(), random(5, 2, 3)
    expected = gradients(module, x)
    with torch.autograd.forward_ad.dual_level():
        dual(x)
        torch.testing.assert_close(gradients(module, x), expected, rtol=0, atol=0)


@pytest.mark.parametrize("recorded", [True, False])
def test_forward_mode_of_functorch_is_refused(recorded: bool) -> None:
    x, module = random(5, 2, 3), lstm()
    with torch.set_grad_enabled(recorded), pytest.raises(rc.UsageError, match="forward mode"):
        torch.func.jvp(lambda x: module(x)[0], (x,), (x,))


def test_forward_mode_of_a_compiled_module_is_refused() -> None:
    x, module = random(5, 2, 3), lstm()
    compiled = torch.compile(lambda x: module(x)[0], backend="eager")
    with torch.no_grad(), torch.autograd.forward_ad.dual_level(), pytest.raises(rc.UsageError, match="forward mode"):
        compiled(dual(x))
