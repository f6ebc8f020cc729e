"""Modules of PyTorch on a device: what they compute there is what they compute on the CPU, however they are called.

Each test runs on the stand-in for a device, and, marked `gpu`, on one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

import recurrency as rc
from recurrency import backend
from recurrency.errors import ShapeError, UsageError
from tests.support.devices import DEVICES, GPU, EmulatedPlace, captured, in_torch_code, kernels_on, program_of, stream
from tests.support.torch_modules import QUIET, lstm, random, torch

close = torch.testing.assert_close
pytestmark = QUIET

T, B, N, H = 5, 3, 3, 4
GATED = rc.parse("""
cell Gated[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal
    param a : [H] ~ zeros
    state h : [H] = 0
    h = tanh(dropout(W @ x, 0.5) + U @ h[t-1] + a)
}
""")


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    with kernels_on(request.param) as found:
        yield found


def pair(device: str, module: Any = None) -> tuple[Any, Any]:
    """The same module in torch code on the CPU and in kernels on the device, both in float64."""
    ours = copy.deepcopy(lstm() if module is None else module).to(device)
    theirs = copy.deepcopy(ours).cpu()
    program_of(ours)
    assert ours.path.startswith("kernels of the backend cupy"), ours.path
    if device == GPU:
        return theirs, ours
    theirs.program = in_torch_code(ours.program)
    return theirs, ours


def gradients(module: Any, x: Any, h: Any, **options: Any) -> list[Any]:
    """The results, and the gradients of inputs, states and parameters, on the CPU."""
    device = next(module.parameters()).device
    x, h = (a.to(device).requires_grad_() for a in (x, h))
    y, state = module(x, {"h": h}, **options)
    loss = y.square().sum() + state["h"].sum()
    found = torch.autograd.grad(loss, [x, h, *module.parameters()])
    return [a.detach().cpu() for a in (y, state["h"], *found)]


@pytest.mark.parametrize("batch", [3, 18])  # captured as a graph of its own, and with products by cuBLAS
def test_results_and_gradients_are_those_of_the_cpu(device: str, batch: int) -> None:
    theirs, ours = pair(device)
    x, h = random(T, batch, N), random(batch, H, seed=1)
    for _ in range(2):
        close(gradients(ours, x, h), gradients(theirs, x, h), rtol=1e-11, atol=1e-11)


def test_second_derivatives_are_those_of_the_cpu(device: str) -> None:
    found = []
    for module in pair(device):
        x = random(T, B, N).to(next(module.parameters()).device).requires_grad_()
        (slope,) = torch.autograd.grad(module(x)[0].square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        found.append([x.grad.cpu(), *(p.grad.cpu() for p in module.parameters())])
    close(*found, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("where", ["list", "host", "device"])
def test_lengths_on_the_host_and_on_the_device(device: str, where: str) -> None:
    theirs, ours = pair(device)
    x, h, lengths = random(T, B, N), random(B, H, seed=1), [5, 2, 0]
    x[3, 1], x[:, 2] = float("nan"), float("nan")  # padding is never read
    given = lengths if where == "list" else torch.tensor(lengths, device=device if where == "device" else "cpu")
    close(gradients(ours, x, h, lengths=given), gradients(theirs, x, h, lengths=lengths), rtol=1e-11, atol=1e-11)
    with pytest.raises(ShapeError, match=r"lengths are \[6, 1, 1\]; the batch has 5 steps"):
        ours(x.to(device), lengths=torch.tensor([6, 1, 1], device=given.device if where == "device" else "cpu"))


def test_under_autocast_kernels_compute_in_float32(device: str) -> None:
    theirs, ours = pair(device, lstm().float())
    x = random(T, B, N).float()
    wanted = theirs(x.bfloat16().float())[0]
    with torch.autocast(device, torch.bfloat16):
        y, state = ours(x.to(device).bfloat16())
        assert ours.path.startswith("kernels of the backend cupy")
        y2, _ = ours(x.to(device).bfloat16(), state)
    assert y.dtype is state["h"].dtype is y2.dtype is torch.bfloat16
    close(y.cpu(), wanted.bfloat16(), rtol=1e-2, atol=1e-2)
    close(y.float().cpu(), wanted, rtol=2**-8, atol=2**-8)  # but for the rounding of results, not that of 5 steps
    y.float().sum().backward()
    wanted.sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.grad.dtype is torch.float32
        close(one.grad.cpu(), other.grad, rtol=1e-4, atol=1e-4)


def test_work_goes_on_torchs_current_stream(device: str) -> None:
    theirs, ours = pair(device)
    x, h = random(T, B, N), random(B, H, seed=1)
    with stream(device) as current:
        found = gradients(ours, x, h)
    close(found, gradients(theirs, x, h), rtol=1e-11, atol=1e-11)
    if device != GPU:
        assert backend.find("cupy-emulated").load().launches[-1].stream is current  # type: ignore[attr-defined]


def test_a_compiled_module_runs_the_same_kernels(device: str) -> None:
    theirs, ours = pair(device)
    x = random(T, B, N)
    backends = [{"backend": "aot_eager"}]
    if device == GPU:
        backends += [{}, {"mode": "reduce-overhead"}]
    for options in backends:
        torch._dynamo.reset()
        found = torch.compile(ours, fullgraph=True, **options)
        for _ in range(3):  # graphs are recorded at the second call
            y = found(x.to(device))[0]
            (slope,) = torch.autograd.grad(y.square().sum(), ours.W_i)
        close(y.cpu(), theirs(x)[0], rtol=1e-11, atol=1e-11)
        close(slope.cpu(), torch.autograd.grad(theirs(x)[0].square().sum(), theirs.W_i)[0], rtol=1e-11, atol=1e-11)


def test_graphs_of_torch_compile_leave_the_op_out() -> None:
    if not hasattr(torch.Tag, "cudagraph_unsafe"):
        pytest.skip(f"torch {torch.__version__} has no such tag")
    lstm()
    assert torch.Tag.cudagraph_unsafe in torch.ops.recurrency.run.default.tags


# ------------------------------------------------------------------------------------------------------------ capture


@pytest.mark.parametrize("batch", [3, 18])
def test_a_captured_call_computes_with_new_numbers(device: str, batch: int) -> None:
    theirs, ours = pair(device)
    x, h, dy = (random(*s, seed=k).to(device) for k, s in enumerate(((T, batch, N), (batch, H), (T, batch, H))))
    lengths = torch.arange(batch, device=device) % (T + 1) if device == GPU else None

    def work(module: Any, *tensors: Any) -> list[Any]:
        x, h, lengths, dy = tensors
        y, _ = module(x, {"h": h}, lengths)
        return [y, *torch.autograd.grad(y, list(module.parameters()), dy)]

    with stream(device):
        before = [a.clone() for a in work(ours, x, h, lengths, dy)]
    found, replay = captured(device, lambda: work(ours, x, h, lengths, dy))
    for seed in (5, 6):
        x.copy_(random(T, batch, N, seed=seed))
        work(ours, x, h, lengths, dy)  # beside the graph: memory of the one is not that of the other
        replay()
        wanted = work(theirs, *(None if a is None else a.cpu() for a in (x, h, lengths, dy)))
        close([a.cpu() for a in found], wanted, rtol=1e-11, atol=1e-11)
    assert not torch.equal(before[0], found[0])


def test_the_first_call_can_not_be_captured(device: str) -> None:
    _, ours = pair(device)
    x = random(T, B, N).to(device)
    with pytest.raises(RuntimeError, match="make one before the capture"):
        captured(device, lambda: ours(x))
    y = ours(x)[0]
    found, replay = captured(device, lambda: ours(x)[0])
    replay()
    close(found, y)


def test_what_can_not_be_captured_says_so(device: str) -> None:
    _, ours = pair(device)
    x = random(T, B, N).to(device)
    ours(x, lengths=[5, 2, 0])
    with pytest.raises(RuntimeError, match="must be on the device to be captured"):
        captured(device, lambda: ours(x, lengths=[5, 2, 0]))
    _, noisy = pair(device, GATED.module(N=N, H=H, dtype=torch.float64, seed=0).train())
    noisy(x)
    with pytest.raises(UsageError, match="Gated draws random numbers: each replay of a graph would repeat them"):
        captured(device, lambda: noisy(x))
    found, replay = captured(device, lambda: noisy(x, seed=3)[0])
    replay()
    close(found, noisy(x, seed=3)[0])


# ------------------------------------------------------------------------------------------------------------- memory


def test_results_are_ordinary_tensors(device: str) -> None:
    _, ours = pair(device)
    x = random(T, B, N).to(device).requires_grad_()
    y, state = ours(x)
    assert not y._is_view()
    kept = y.detach().clone()
    (wanted,) = torch.autograd.grad(y.square().sum(), x, retain_graph=True)
    with torch.no_grad():
        state["h"].fill_(7.0)
        second = ours(x)[0]
    close(y, kept)
    close(second, kept)
    y.mul_(1)
    close(torch.autograd.grad(y.square().sum(), x)[0], wanted)


def test_where_torch_is_short_of_memory_plans_go_and_the_call_is_repeated(device: str) -> None:
    if device == GPU:
        pytest.skip("the limit is that of the stand-in")
    _, ours = pair(device)
    found: Any = backend.find("cupy-emulated")
    found.release()
    EmulatedPlace.most = EmulatedPlace.used
    wanted = ours(random(20, B, N))[0].detach().clone()
    held = EmulatedPlace.used
    try:
        EmulatedPlace.limit = int(1.1 * EmulatedPlace.most)
        assert ours(random(21, B, N))[0].shape == (21, B, H)  # in the place of the plan for 20 steps
        with pytest.raises(torch.OutOfMemoryError, match="needs more memory than the device has"):
            ours(random(500, B, N))
        EmulatedPlace.limit = None
        close(ours(random(20, B, N))[0], wanted)
    finally:
        EmulatedPlace.limit = None
    found.release()
    assert EmulatedPlace.used < held


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available() or torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_work_goes_on_the_device_of_the_tensors() -> None:
    theirs, ours = pair(GPU)
    x, h = random(T, B, N), random(B, H, seed=1)
    wanted = gradients(theirs, x, h)
    for index in (1, 0, 1):
        with torch.cuda.device(0):
            close(gradients(ours.to(f"cuda:{index}"), x, h), wanted, rtol=1e-11, atol=1e-11)
