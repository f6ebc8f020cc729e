"""What modules read: tensors that are not in memory as C reads numbers, on kernels and in generated torch code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from recurrency.backends.c.runtime import compiler as native

import recurrency as rc
from tests.support.torch_modules import QUIET, random, torch

module_kernels = pytest.importorskip("recurrency.backends.torch.module_kernels")
nn = torch.nn
close = torch.testing.assert_close
pytestmark = QUIET


def made() -> Any:
    """A module in float64."""
    return rc.library.spec("PlainLSTM").module(N=3, H=4, dtype=torch.float64, seed=0)


def _strided(x: Any) -> Any:
    return x.transpose(0, 2).contiguous().transpose(0, 2)


def _between_numbers(x: Any) -> Any:
    """An address that no number of its type has."""
    return torch.frombuffer(bytearray(b" " + x.numpy().tobytes()), dtype=x.dtype, offset=1).view(x.shape)


def _with_a_negative_bit(x: Any) -> Any:
    return torch._neg_view(-x)


def _without_memory(x: Any) -> Any:
    return torch._efficientzerotensor(x.shape, dtype=x.dtype)


@pytest.fixture(params=["kernels", "torch"])
def on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test on the kernels of the C backend, which read memory themselves, and on generated torch code."""
    if request.param == "kernels":
        if native.obstacle() is not None:
            pytest.skip(f"nothing compiled: {native.obstacle()}")
        monkeypatch.setattr(module_kernels, "KERNELS", {"cpu": "c"})
    return str(request.param)


@pytest.mark.parametrize("made_of", [_strided, _between_numbers, _with_a_negative_bit, _without_memory])
def test_tensors_are_read_however_they_are_in_memory(made_of: Callable[[Any], Any], on: str) -> None:
    def run(x: Any, dy: Any, h: Any) -> list[Any]:
        y, _ = module(x, state={"h": h})
        return [y.detach(), *torch.autograd.grad(y, list(module.parameters()), dy)]

    module = made()
    assert module.path.startswith("kernels") == (on == "kernels")
    plain = [random(5, 2, 3), random(5, 2, 4), random(2, 4, 1).squeeze(-1)]
    given = [made_of(tensor.view(*tensor.shape, 1)).squeeze(-1) for tensor in plain]
    same = [torch.zeros_like(p) if made_of is _without_memory else p for p in plain]
    close(run(*given), run(*same), rtol=0, atol=0)


def test_parameters_with_a_negative_bit_mean_what_they_mean_for_torch(on: str) -> None:
    module, x = made(), random(5, 2, 3)
    with torch.no_grad():
        wanted = module(x)[0]
        vector = torch._neg_view(-torch.cat([p.flatten() for p in module.parameters()]))
        pieces = vector.split([p.numel() for p in module.parameters()])
        for (name, old), piece in zip(list(module.named_parameters()), pieces, strict=True):
            setattr(module, name, nn.Parameter(piece.view(old.shape)))
        close(module(x)[0], wanted)
        flat = rc.library.spec("PlainLSTM").module(N=3, H=4, dtype=torch.float64, seed=0, flat=True)
        flat.flat_param = nn.Parameter(torch._neg_view(-flat.flat_param.detach()))
        close(flat(x)[0], wanted)


@pytest.mark.parametrize("flat", [False, True])
def test_parameters_without_memory_here_are_refused(flat: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of sharded modules, outside of the calls that gather them; C would read at the address 0."""
    from torch.testing._internal.two_tensor import TwoTensor

    monkeypatch.setattr(module_kernels, "KERNELS", {"cpu": "c"})
    module = rc.library.spec("PlainLSTM").module(N=2, H=4, dtype=torch.float64, seed=0, flat=flat)
    for name, p in list(module.named_parameters()):
        setattr(module, name, nn.Parameter(TwoTensor(p.detach().clone(), p.detach().clone())))
    if not module.path.startswith("kernels"):
        pytest.skip(module.path)
    for recorded in (True, False):
        with torch.set_grad_enabled(recorded), pytest.raises(rc.UsageError, match="not in this process's memory"):
            module(random(5, 2, 2))
