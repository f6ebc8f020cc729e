"""Networks on PyTorch in the hands of those who use `nn.LSTM`: what they change, lose, freeze, record and load."""

from __future__ import annotations

import contextlib
import copy
import io
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import recurrency as rc
from tests.support.torch_modules import QUIET, lstm, random, torch

nn = torch.nn
close = torch.testing.assert_close
pytestmark = QUIET


def pair() -> tuple[Any, Any]:
    """A module and the `nn.LSTM` with the same weights, in float64."""
    theirs = nn.LSTM(3, 4).double()
    ours = rc.library.spec("PlainLSTM").module(N=3, H=4, state="tuple", dtype=torch.float64)
    ours.load_state_dict(rc.convert.from_torch(ours, theirs))
    return ours, theirs


# ---------------------------------------------------------------------------- what changes between forward and backward


@pytest.mark.parametrize("what", ["the input", "a state", "the lengths"])
def test_a_change_of_what_the_backward_pass_needs_is_noticed(what: str) -> None:
    module, x, h, lengths = lstm(), random(5, 2, 3), random(2, 4), torch.tensor([3, 5])
    y, _ = module(x, {"h": h}, lengths)
    {"the input": x, "a state": h, "the lengths": lengths}[what].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_parameters_may_be_changed_before_the_backward_pass() -> None:
    """The gradients are those at the parameters of the forward pass: they were copied into one vector there."""
    module, x = copy.deepcopy(lstm()), random(5, 2, 3)
    wanted = torch.autograd.grad(module(x)[0].sum(), list(module.parameters()))
    y, _ = module(x)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    close(torch.autograd.grad(y.sum(), list(module.parameters())), wanted)


def test_results_may_be_changed_in_place() -> None:
    module, x = lstm(), random(5, 2, 3)
    wanted = torch.autograd.grad(2 * module(x)[0].sum(), module.W_i)
    y, state = module(x)
    state["h"].detach().zero_()
    state["c"].mul_(7)
    close(torch.autograd.grad(y.mul_(2).sum(), module.W_i), wanted)


def test_an_input_may_repeat_itself_in_memory() -> None:
    found = []
    for module in pair():
        x, h = random(3, seed=1, requires_grad=True), random(4, seed=2, requires_grad=True)
        state = h.expand(1, 2, 4) if module.__class__ is not nn.LSTM else h.repeat(1, 2, 1)
        module(x.expand(5, 2, 3), (state, state))[0].square().sum().backward()
        found.append((x.grad, h.grad))
    close(*found)


# ------------------------------------------------------------------------------------------------- gradients of a part


@pytest.mark.parametrize("wanted", ["inputs", "states", "parameters"])
def test_gradients_of_a_part_are_those_of_nn_lstm(wanted: str) -> None:
    found = []
    for module in pair():
        module.requires_grad_(wanted == "parameters")
        x = random(5, 2, 3, requires_grad=wanted == "inputs")
        state = tuple(random(1, 2, 4, seed=k, requires_grad=wanted == "states") for k in (1, 2))
        y, (h, c) = module(x, state)
        (y.square().sum() + h.sum() - c.square().sum()).backward()
        gradients = [t.grad for t in (x, *state)]
        if wanted == "parameters":
            assert gradients == [None] * 3
            gradients = [p.grad.sum() for p in module.parameters() if p.dim() == 2]
            gradients = [sum(gradients)]
        found.append([g for g in gradients if g is not None])
    close(*found)


def test_many_adjoints_go_back_at_once() -> None:
    """`is_grads_batched` and vectorised Jacobians, which batch by other means than `torch.vmap`."""
    module, x = lstm(), random(4, 2, 3, requires_grad=True)
    _, state = module(x)
    adjoints = random(3, 2, 4, seed=1)
    (found,) = torch.autograd.grad(state["c"], x, adjoints, is_grads_batched=True, retain_graph=True)
    close(found, torch.stack([torch.autograd.grad(state["c"], x, a, retain_graph=True)[0] for a in adjoints]))
    energy = lambda x: module(x)[0].square().sum()  # noqa: E731
    hessian = torch.autograd.functional.hessian
    close(hessian(energy, x.detach(), vectorize=True), hessian(energy, x.detach()))
    jacobian = torch.autograd.functional.jacobian
    several = [jacobian(lambda x: module(x)[0][-1], x, create_graph=True, vectorize=v) for v in (True, False)]
    close(*(torch.autograd.grad(j.square().sum(), x)[0] for j in several))


# --------------------------------------------------------------------------------------------------- devices and dtypes


def test_modules_are_made_under_a_default_device() -> None:
    before = torch.random.get_rng_state()
    with torch.device("meta"):
        module = rc.library.spec("GRU").module(N=3, H=4)
        y, _ = module(torch.ones(5, 2, 3), lengths=[2, 5])
    assert {p.device.type for p in (*module.parameters(), y)} == {"meta"}
    assert torch.equal(torch.random.get_rng_state(), before), "nothing is drawn for parameters without numbers"
    module, x = lstm(seed=1), random(5, 2, 3)
    with torch.device("meta"):  # what lies elsewhere stays there
        module.reset_parameters(seed=0)
        found = module(x, lengths=[2, 5])
    close(found, lstm()(x, lengths=[2, 5]))


def test_modules_are_made_of_fake_tensors() -> None:
    with torch._subclasses.fake_tensor.FakeTensorMode():
        module = rc.parse(DROPS).module(N=3)
        y, _ = module(torch.ones(5, 2, 3))
        y.sum().backward()
    assert module.w.grad.shape == (3,)


DROPS = "cell Drops[N](x: [N]) -> (y: [N]) {\n    param w : [N] ~ ones\n    y = dropout(w * x, 0.5)\n}"


def test_autocast_leaves_float64_alone_as_other_layers_do() -> None:
    x = random(5, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert lstm()(x)[0].dtype is nn.Linear(3, 4).double()(x).dtype is torch.float64


def test_symbols_alone_say_where_a_network_without_parameters_lies() -> None:
    module = rc.parse("cell Hot(w: index[5]) -> (y: [5]) {\n    y = onehot(w)\n}").module()
    assert module(torch.zeros(4, 2, dtype=torch.int64, device="meta"))[0].device.type == "meta"


# --------------------------------------------------------------------------------------- parameters and checkpoints


def test_a_parameter_of_another_shape_is_refused() -> None:
    module, x = copy.deepcopy(lstm()), random(5, 2, 3)
    module.U_i = nn.Parameter(random(4, 5))
    with pytest.raises(rc.UsageError, match=re.escape("the parameter U_i is [4, 5]; LSTM needs [4, 4]")):
        module(x)
    with pytest.raises(rc.UsageError, match=re.escape("the parameter b_o is [1]; LSTM needs [4]")):
        torch.func.functional_call(lstm(), {"b_o": random(1)}, (x,))


def test_wrong_checkpoints_are_refused_by_name() -> None:
    state = dict(lstm().state_dict())
    renamed = {("w_i" if name == "W_i" else name): value for name, value in state.items()}
    for wrong, words in (renamed, 'Missing key.*"W_i".*\n.*Unexpected.*"w_i"'), ({**state, "b_i": random(3)}, "b_i"):
        with pytest.raises(RuntimeError, match=words):
            lstm().load_state_dict(wrong)
    assert lstm().load_state_dict(renamed, strict=False).missing_keys == ["W_i"]


def test_hooks_see_what_goes_in_and_out() -> None:
    module, seen = copy.deepcopy(lstm()), []
    module.register_forward_pre_hook(lambda m, given: seen.append(given[0].shape))
    module.register_forward_hook(lambda m, given, out: seen.append(out[0].shape))
    module.register_full_backward_hook(lambda m, into, out: seen.append(into[0].shape))
    module.W_i.register_hook(lambda g: seen.append(g.shape))
    module(random(5, 2, 3, requires_grad=True))[0].sum().backward()
    assert sorted(map(tuple, seen)) == [(4, 3), (5, 2, 3), (5, 2, 3), (5, 2, 4)]


def test_functions_and_cells_among_the_dimensions_have_their_names() -> None:
    text = "use LSTMP from library\nfn half(x) = x / 2\ncell A[N, f = half, C = LSTMP[R = 2]](x: [N]) -> (y: [2]) {"
    module = rc.parse(text + "\n    y = f(C[H = 3](x))\n}").module(N=3)
    assert repr(module).startswith("A(\n  N=3, f=half, C=LSTMP[R = 2]\n")
    assert repr(rc.library.spec("Elman").module(N=3, H=4)).startswith("Elman(\n  N=3, H=4, squash=tanh\n")


# ------------------------------------------------------------------------------------------------- recorded and carried


def test_torch_jit_is_refused() -> None:
    module, x = lstm(), random(5, 2, 3)
    for mode in contextlib.nullcontext, torch.no_grad:
        with mode(), pytest.raises(rc.UsageError, match=r"torch\.jit can't record LSTM: use torch\.export"):
            torch.jit.trace(module, (x,), check_trace=False)
    close(module(x), lstm()(x))


LOADED = """
import sys, torch, recurrency as rc
other = rc.library.GRU.module(N=3, H=4)
loaded, x = torch.export.load(sys.argv[1]).module(), torch.ones(5, 2, 3)
try:
    loaded(x)
except rc.UsageError as error:
    print(error)
module = rc.library.Elman.module(N=3, H=4, squash="relu")
print(loaded(x)[0].sum().item())
"""


def test_an_exported_graph_runs_in_another_process_that_knows_the_module(tmp_path: Path) -> None:
    """It is known by a key that is the same in all processes, whatever stands for its dimensions."""
    module, path = rc.library.spec("Elman").module(N=3, H=4, squash="relu", seed=0), str(tmp_path / "elman.pt2")
    x = torch.ones(5, 2, 3)
    torch.export.save(torch.export.export(module, (x,)), path)
    command = [sys.executable, "-W", "ignore", "-c", LOADED, path]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.split("\n")
    assert found[0].startswith(
        f"this graph calls the module {module.program.key}, which this process has not made: make it first"
    )
    assert float(found[1]) == pytest.approx(module(x)[0].sum().item(), rel=1e-6)


def _learn(module: Any, x: Any, out: Any) -> None:
    y, _ = module(x)
    y.sum().backward()
    out.put((y.sum().item(), module.W_i.grad.sum().item()))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on, where there are threads
def test_a_module_works_in_a_process_that_was_forked() -> None:
    module, x = copy.deepcopy(lstm()), random(5, 2, 3)
    y, _ = module(x)
    (wanted,) = torch.autograd.grad(y.sum(), module.W_i)
    context: Any = multiprocessing.get_context("fork")
    out = context.Queue()
    process = context.Process(target=_learn, args=(module, x, out))
    process.start()
    found = out.get(timeout=120)
    process.join()
    assert found == pytest.approx((y.sum().item(), wanted.sum().item()))


def test_models_are_built_of_modules() -> None:
    class First(nn.Module):
        def forward(self, found: Any) -> Any:
            return found[0]

    model = nn.Sequential(lstm(), First(), nn.Linear(4, 1).double())
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other = nn.Sequential(lstm(seed=1), First(), nn.Linear(4, 1).double())
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "2"]
    close(other(random(5, 2, 3)), model(random(5, 2, 3)))


USES: dict[str, Callable[[Any, Any], Any]] = {
    "twice": lambda module, y: [torch.autograd.grad(y.sum(), module.W_i, retain_graph=True)[0] for _ in "ab"][1],
    "after a copy was made": lambda module, y: (copy.deepcopy(module), torch.autograd.grad(y.sum(), module.W_i)[0])[1],
    "in deterministic mode": lambda module, y: _deterministic(y.sum(), module.W_i),
}


def _deterministic(y: Any, w: Any) -> Any:
    torch.use_deterministic_algorithms(True)
    try:
        return torch.autograd.grad(y, w)[0]
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_backward_passes_give_the_same(use: Callable[[Any, Any], Any]) -> None:
    module, x = lstm(), random(5, 2, 3)
    close(use(module, module(x)[0]), torch.autograd.grad(module(x)[0].sum(), module.W_i)[0])
