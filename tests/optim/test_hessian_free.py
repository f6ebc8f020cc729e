"""`recurrency.optim.HessianFree`: the algorithm of training, on torch's modules."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.training.loop import hessian_free

torch = pytest.importorskip("torch")

NET = """
cell Net[N, H, K, P = 0.0](x: [N], goal: [K]) -> (y: [K]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ glorot_uniform
    param V : [K, H] ~ glorot_uniform
    state h : [H] = 0
    h = tanh(W @ x + U @ h[t-1])
    y = V @ dropout(h, P)
    loss squared_error(y, goal)
}
"""


def network(dtype: Any = torch.float64, **options: Any) -> Any:
    return rc.parse(NET).module(N=2, H=4, K=1, dtype=dtype, seed=0, **options)


def batch(dtype: Any = torch.float64, steps: int = 6, size: int = 5) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.standard_normal((steps, size, 2)), dtype=dtype)
    return {"x": x, "goal": 0.3 * x.cumsum(0).sum(-1, keepdim=True)}


def optimiser(module: Any, **options: Any) -> Any:
    return rc.optim.HessianFree(module, **options)


def flat(module: Any) -> Any:
    """The parameters in the order of the compiled model."""
    return module._vector({})[0].detach().numpy().copy()


def closure_of(net: Any, data: dict[str, Any], lengths: Any = None) -> Any:
    """The loss of the cell, computed by torch from the output of `net`."""

    def closure() -> Any:
        y, _ = net(data["x"], lengths=lengths)
        count = y.shape[0] * y.shape[1] if lengths is None else sum(lengths)
        mask = torch.ones_like(y)
        if lengths is not None:
            mask = (torch.arange(y.shape[0])[:, None] < torch.tensor(lengths)).to(y.dtype)[..., None]
        return (mask * (y - data["goal"]) ** 2).sum() / count, y

    return closure


@pytest.mark.parametrize("lengths", [None, [6, 3, 0, 1, 6]], ids=["even", "ragged"])
@pytest.mark.parametrize("damp", [{}, {"h": 0.3}], ids=["plain", "damped"])
def test_a_step_is_that_of_the_algorithm_on_the_compiled_model(damp: dict[str, float], lengths: Any) -> None:
    module, data = network(), batch()
    model = rc.parse(NET).compile("numpy", dtype="float64", N=2, H=4, K=1)
    theta, arrays = flat(module), {name: t.numpy() for name, t in data.items()}
    asked = optimiser(module, damp=damp, damping=0.2, weight_decay=0.01)
    state = hessian_free.State(0.2)
    for _ in range(3):
        value, gradients, _ = model.loss_and_gradients(theta, arrays, lengths=lengths)

        def product(v: Any, damping: float, at: Any = theta) -> Any:
            weights = {n: damping * mu for n, mu in damp.items()}
            return model.gnvp(at, arrays, v, lengths=lengths, damping=weights) + 0.01 * v

        found = hessian_free.update(
            theta,
            value + 0.005 * theta @ theta,
            gradients.params + 0.01 * theta,
            lambda new: model.loss(new, arrays, lengths=lengths) + 0.005 * float(new @ new),
            product,
            state,
        )
        loss = asked.step(**data, lengths=lengths)
        assert float(loss) == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(flat(module), found.theta, rtol=1e-6, atol=1e-7)
        assert (asked.last.iterations, asked.damping) == (found.iterations, found.state.damping)
        assert asked.rho == pytest.approx(found.rho, rel=1e-7)
        theta, state = found.theta, found.state


@pytest.mark.parametrize("lengths", [None, [6, 3, 0, 1, 6]], ids=["even", "ragged"])
def test_a_closure_equals_the_loss_of_the_spec(lengths: Any) -> None:
    one, two, data = network(), network(), batch()
    by_spec, by_closure = optimiser(one), optimiser(two)
    closure = closure_of(two, data, lengths)
    for _ in range(4):
        np.testing.assert_allclose(float(by_spec.step(**data, lengths=lengths)), float(by_closure.step(closure)), 1e-7)
        np.testing.assert_allclose(flat(one), flat(two), rtol=1e-6, atol=1e-7)


def test_the_products_of_a_closure_are_the_gauss_newton_matrix() -> None:
    """Of a loss with two outputs, one of them without a second derivative, and a parameter that nothing reads."""
    from recurrency.optim.problems import OfClosure, Setting

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    net.register_parameter("unused", torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)))
    x, goal = torch.randn(5, 3).double(), torch.tensor([0, 1, 1, 0, 1])
    parameters = [p for p in net.parameters() if p.requires_grad]

    def outputs(*values: Any) -> Any:
        named = dict(zip((n for n, _ in net.named_parameters()), values, strict=True))
        return torch.func.functional_call(net, named, (x,))

    def closure() -> Any:
        z = net(x)
        size = net[0].weight.sum()
        return torch.nn.functional.cross_entropy(z, goal) + 3 * size, {"z": z, "size": size}

    problem = OfClosure(Setting(net, parameters, {}, "matching", 0), closure, closure)
    problem.start()
    J = torch.autograd.functional.jacobian(outputs, tuple(parameters))
    J = torch.cat([j.reshape(10, -1) for j in J], 1)
    H = torch.autograd.functional.hessian(lambda z: torch.nn.functional.cross_entropy(z, goal), net(x).detach())
    wanted = J.T @ H.reshape(10, 10) @ J
    for k, row in enumerate(torch.eye(J.shape[1], dtype=torch.float64)):
        parts = [p.view_as(q) for p, q in zip(row.split([q.numel() for q in parameters]), parameters, strict=True)]
        found = problem.product(parts, 0.1)
        found = torch.cat(
            [torch.zeros(q.numel()) if f is None else f.reshape(-1) for f, q in zip(found, parameters, strict=True)]
        )
        torch.testing.assert_close(found.double(), wanted[k], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_it_learns_faster_than_gradients(dtype: Any) -> None:
    module, data = network(dtype), batch(dtype, 12, 40)
    asked = optimiser(module, damp={"h": 0.03})
    losses = [float(asked.step(**data)) for _ in range(12)]
    assert losses[-1] < 0.02 * losses[0]
    assert asked.last.after < losses[-1]
    assert flat(module).dtype == np.dtype(str(dtype)[6:])
    assert module.path.startswith("kernels of the backend c") or "generated" in module.path


def test_saving_and_loading_continues_as_if_nothing_had_happened() -> None:
    module, data = network(torch.float32), batch(torch.float32)
    asked = optimiser(module)
    for _ in range(2):
        asked.step(**data)
    other = network(torch.float32)
    again = optimiser(other, damping=7.0)
    other.load_state_dict(copy.deepcopy(module.state_dict()))
    again.load_state_dict(copy.deepcopy(asked.state_dict()))
    assert again.damping == asked.damping != 7.0
    for _ in range(2):
        assert float(asked.step(**data)) == float(again.step(**data))
        np.testing.assert_array_equal(flat(module), flat(other))


@pytest.mark.parametrize("by", ["spec", "closure"])
def test_random_draws_stay_the_same_within_a_step(by: str) -> None:
    module, data = network(P=0.5), batch()
    asked = optimiser(module, damping=0.01)
    torch.manual_seed(3)
    loss = asked.step(**data) if by == "spec" else asked.step(closure_of(module, data))
    drawn = torch.rand(())
    assert asked.last.after < float(loss)
    assert asked.last.step > 0
    torch.manual_seed(3)
    if by == "spec":
        torch.randint(1 << 62, ())
    else:
        closure_of(module, data)()
    assert torch.rand(()) == drawn, "a step takes the draws of one call"


def test_frozen_parameters_stay() -> None:
    module, data = network(), batch()
    module.U.requires_grad_(False)
    before = module.U.clone()
    asked = optimiser(module)
    losses = [float(asked.step(**data)) for _ in range(3)]
    assert losses[2] < losses[0]
    assert torch.equal(module.U, before)


def test_the_curvature_may_be_that_of_some_sequences() -> None:
    module, data = network(), batch()
    lengths = torch.tensor([6, 5, 4, 3, 2])
    some = {name: t[:, [0, 2]] for name, t in data.items()}
    v = torch.randn(module.model.size).double()
    found = module.curvature(**data, lengths=lengths, sequences=2)(v)
    torch.testing.assert_close(found, module.curvature(**some, lengths=lengths[[0, 2]])(v))
    one, two = network(), network()
    by_spec, by_closure = optimiser(one, curvature=2), optimiser(two)
    by_spec.step(**data)
    by_closure.step(closure_of(two, data), curvature=closure_of(two, some))
    np.testing.assert_allclose(flat(one), flat(two), rtol=1e-6, atol=1e-7)


def test_lambda_can_be_read_and_set() -> None:
    asked = optimiser(network(), damping=3.0)
    assert asked.damping == 3.0
    assert math.isnan(asked.rho)
    asked.damping = 0.5
    assert asked.state_dict()["state"]["hessian-free"]["damping"] == 0.5


def test_a_step_that_fails_leaves_the_parameters() -> None:
    module, data = network(), batch()
    before, calls = flat(module), []

    def closure() -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return closure_of(module, data)()

    with pytest.raises(KeyboardInterrupt):
        optimiser(module).step(closure)
    np.testing.assert_array_equal(flat(module), before)


FLAT = "cell Flat[N](x: [N], goal: [N]) -> (y: [N]) {\n param W : [N, N] ~ zeros\n y = W @ x\n loss LINE\n}"
MISTAKES = {
    "iterations": (lambda: optimiser(network(), iterations=0), "iterations of HessianFree must be at least 1, not 0"),
    "decay": (lambda: optimiser(network(), decay=2), "decay of HessianFree must be at least 0 and at most 1, not 2"),
    "stream": (lambda: optimiser(network(), damp={"hh": 1.0}), "Net has no stream hh; did you mean h?"),
    "distance": (lambda: optimiser(network(), damp={"h": 1}, distance="l1"), "is matching or squared, not l1"),
    "no parameters": (lambda: optimiser(torch.nn.Tanh()), "the module has no parameters"),
    "damp elsewhere": (lambda: optimiser(torch.nn.Linear(1, 1), damp={"h": 1}), "is for the modules of Spec.module"),
    "no closure": (lambda: optimiser(torch.nn.Linear(1, 1)).step(), "step takes a closure, unless the module"),
    "no outputs": (
        lambda: optimiser(network()).step(lambda: torch.zeros(())),
        "the closure returns the loss, a scalar, and the tensors that it is computed from, not Tensor",
    ),
    "detached": (
        lambda: optimiser(network()).step(lambda: (torch.zeros(()), torch.zeros(3))),
        "must depend on the parameters",
    ),
    "damped closure": (
        lambda: optimiser(network(), damp={"h": 1}).step(lambda: None),
        "structural damping needs the loss of the spec",
    ),
    "no loss": (
        lambda: optimiser(rc.library.Elman.module(N=2, H=2)).step(torch.zeros(1, 1, 2)),
        "Elman has no loss line",
    ),
    "flat loss": (
        lambda: optimiser(rc.parse(FLAT.replace("LINE", "absolute_error(y, goal)")).module(N=2)).step(
            x=torch.zeros(1, 1, 2), goal=torch.zeros(1, 1, 2)
        ),
        "can't use the loss of Flat: the loss in line 4, absolute_error(y, goal), has no second derivative",
    ),
    "a second group": (lambda: optimiser(network()).add_param_group({"params": []}), "one group of parameters"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str) -> None:
    call, message = MISTAKES[mistake]
    with pytest.raises(rc.UsageError) as caught:
        call()
    assert message in str(caught.value)
