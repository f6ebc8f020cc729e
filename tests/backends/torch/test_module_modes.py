"""Modules of PyTorch: dtypes, autocast, modes, and errors."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import recurrency as rc
from recurrency import backend
from tests.support.modules import close, noisy, rnn
from tests.support.torch_modules import inputs_of, lengths_of, lstm, random, shared, torch

nn = torch.nn


# ------------------------------------------------------------------------------------------------- dtypes and modes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_module_computes_in_the_dtype_of_its_parameters(dtype: Any) -> None:
    x = random(5, 2, 3)
    module = lstm().to(dtype)
    y, _ = module(x.to(dtype))
    assert y.dtype is dtype
    # five steps of a sum of 3 + 4 products: each rounds by half a unit, and a gate is no steeper than 1
    close(y.double(), lstm()(x)[0], rtol=0, atol=5 * 8 * torch.finfo(dtype).eps)
    y.sum().backward()
    assert module.W_i.grad.dtype is dtype


def test_autocast_is_followed_as_other_layers_do() -> None:
    module, x = lstm().float(), random(5, 2, 3).float()
    with torch.autocast("cpu", torch.bfloat16):
        y, state = module(x)
        assert y.dtype is state["h"].dtype is nn.Linear(3, 4)(x).dtype is torch.bfloat16
        y, _ = module(x, state)
    y.float().sum().backward()
    assert module.W_i.grad.dtype is torch.float32


def test_kernels_compute_under_autocast_as_the_path_says(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = lstm().float(), random(5, 2, 3).float()
    wanted, path, seen = module(x), module.path, []
    compute = module.program.function

    def watched(kind: str, like: Any) -> Any:
        seen.append((kind, like.dtype))
        return compute(kind, like)

    monkeypatch.setattr(type(module.program), "function", lambda _, *arguments: watched(*arguments))
    with torch.autocast("cpu", torch.bfloat16):
        y, state = module(x)
        assert module.path == path
    y.sum().backward()
    assert torch.equal(y, wanted[0].bfloat16())
    assert torch.equal(state["c"], wanted[1]["c"].bfloat16())
    assert [dtype for _, dtype in seen] == [torch.float32] * 2


def test_losses_stay_in_the_dtype_of_the_parameters_under_autocast() -> None:
    module = rc.library.spec("Music").module(N=3, H=4)
    x = torch.ones(5, 2, 3)
    wanted = module.loss(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module.loss(x.bfloat16()), wanted)
        assert module.loss(x).dtype is torch.float32


def test_nothing_is_kept_where_no_gradient_can_come() -> None:
    module, x = lstm(), random(5, 2, 3)
    with torch.no_grad():
        assert module(x)[0].grad_fn is None
    with torch.inference_mode():
        y = module(x)[0]
    close(module(x)[0], y.clone())  # what was computed in inference mode is not in the way
    module(x)[0].sum().backward()


def test_generated_code_runs_undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = [torch.is_autocast_enabled, torch.is_inference_mode_enabled, torch.is_grad_enabled]
    module, seen = lstm(), []
    function = module.program.function("run_plain", torch.ones(1))

    def watched(*arguments: Any) -> Any:
        seen.extend(mode() for mode in modes)
        return function(*arguments)

    monkeypatch.setattr(type(module.program), "function", lambda *_: watched)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        module(random(5, 2, 3))
    assert seen == [False] * 3


def test_random_draws_follow_torchs_generator_and_the_mode() -> None:
    module, x = noisy(), random(5, 2, 3)
    assert torch.equal(module.eval()(x)[0], module(x)[0])
    module.train()
    torch.manual_seed(1)
    first, second = module(x)[0], module(x)[0]
    torch.manual_seed(1)
    assert torch.equal(module(x)[0], first)
    assert not torch.equal(first, second)
    assert torch.equal(module(x, seed=5)[0], module(x, seed=5)[0])


def test_the_count_of_steps_makes_chunks_draw_what_the_whole_draws() -> None:
    module, x = noisy().train(), random(6, 2, 3)
    first, state = module(x[:2], seed=5)
    assert state["t"].tolist() == [2, 2]
    close(torch.cat([first, module(x[2:], state, seed=5)[0]]), module(x, seed=5)[0])


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_draw_the_same_again(reentrant: bool) -> None:
    module, x = noisy().train(), random(5, 2, 3, requires_grad=True)
    found = []
    for call in module, lambda x: torch.utils.checkpoint.checkpoint(module, x, use_reentrant=reentrant):
        torch.manual_seed(2)
        module.zero_grad()
        call(x)[0].square().sum().backward()
        found.append(module.W.grad)
    assert torch.equal(*found)


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (5, 0), (0, 0)])
def test_there_may_be_no_steps_and_no_sequences(steps: int, batch: int) -> None:
    module = lstm()
    y, state = module(random(steps, batch, 3, requires_grad=True))
    assert y.shape == (steps, batch, 4)
    (y.sum() + state["h"].sum()).backward()
    assert not module.W_i.grad.any()


def test_strides_do_not_matter() -> None:
    x = random(3, 2, 5)
    close(lstm()(x.permute(2, 1, 0)), lstm()(x.permute(2, 1, 0).contiguous()))


def test_the_path_is_visible() -> None:
    assert lstm().path == "generated torch code on cpu"


EMULATED = [("cupy-emulated", cell) for cell in ("LSTM", "Tagger")]

NATIVE = [("c", cell) for cell in ("LSTM", "Tagger", "two clocks", "matrix state", "LayerNormLSTM")]


@pytest.mark.parametrize(("kernels_of", "cell"), [*EMULATED, *NATIVE])
def test_kernels_compute_what_torch_code_computes(kernels_of: str, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Native ones, and those of the stand-in for a device: the tensors' memory goes to kernels and back as it is."""
    from recurrency.backends.torch import module_kernels

    reason = backend.describe(emulated=True)[kernels_of]
    if reason:
        pytest.skip(reason)
    inputs, lengths = inputs_of(shared(cell)), lengths_of(shared(cell))
    found = []
    for kernels in {}, {"cpu": kernels_of}:
        monkeypatch.setattr(module_kernels, "KERNELS", kernels)
        module = copy.deepcopy(shared(cell))
        module.program._functions.clear()
        y = module(inputs, lengths=lengths)[0]
        y.square().sum().backward()
        found.append([y, {n: p.grad for n, p in module.named_parameters()}])
        assert ("kernels" in module.path) == bool(kernels)
    shared(cell).program._functions.clear()
    close(*found, rtol=1e-11, atol=1e-11)


def test_what_native_kernels_gave_may_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the tape of a module nor its next results lie in what the user holds."""
    from recurrency.backends.torch import module_kernels

    if reason := backend.describe()["c"]:
        pytest.skip(reason)
    monkeypatch.setattr(module_kernels, "KERNELS", {"cpu": "c"})
    module = lstm()
    assert module.path == "kernels of the backend c on cpu"
    x = random(5, 2, 3, requires_grad=True)
    first, state = module(x)
    kept = first.detach().clone()
    (wanted,) = torch.autograd.grad(first.square().sum(), x, retain_graph=True)
    with torch.no_grad():
        state["h"].fill_(7.0)
    second = module(x)[0]
    close(first, kept)
    close(second, kept)
    (found,) = torch.autograd.grad(second.square().sum(), x)
    close(found, wanted)


def test_a_stream_goes_to_cupy_as_its_version_wants_it() -> None:
    """From version 14 on ExternalStream warns, and warnings are errors here."""
    from recurrency.backends.torch.module_device import stream_of_cupy

    stream = SimpleNamespace(cuda_stream=7, __cuda_stream__=lambda: (0, 7))
    old = SimpleNamespace(Stream=SimpleNamespace(), ExternalStream=lambda *about: ("external", *about))
    new = SimpleNamespace(Stream=SimpleNamespace(from_external=lambda one: ("of", one.cuda_stream)))
    assert stream_of_cupy(stream, 1, old) == ("external", 7, 1)
    assert stream_of_cupy(stream, 1, new) == ("of", 7)


# ------------------------------------------------------------------------------------------------------------- errors


X = random(5, 2, 3)

MISTAKES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "dtype": (lambda m: m(X.float()), "x holds float32, the module computes in float64"),
    "whole numbers": (lambda m: m(X.int()), "x holds int32"),
    "width": (lambda m: m(X[..., :2]), "x is [5, 2, 2]; LSTM needs [T, B, 3]"),
    "axes": (lambda m: m(X[None]), "x is [1, 5, 2, 3]; LSTM needs [T, B, 3]"),
    "device": (lambda m: m(X.to("meta")), "x is on meta, the module on cpu"),
    "an array": (lambda m: m(X.numpy()), "x is of the type ndarray"),
    "sparse": (lambda m: m(X.to_sparse()), "x is a tensor of the layout sparse_coo; it must be dense"),
    "nested": (
        lambda m: m(torch.nested.as_nested_tensor([X[:, 0]] * 2, layout=torch.jagged)),
        "pad it and pass `lengths`",
    ),
    "packed dtype": (lambda m: m(rnn.pack_sequence([X[:, 0].float()])), "x (packed) holds float32"),
    "packed device": (lambda m: m(rnn.pack_sequence([X[:, 0]]).to("meta")), "x (packed) is on meta"),
    "packed width": (lambda m: m(rnn.pack_sequence([X[:, 0, :2]])), "x (packed) is [5, 1, 2]; LSTM needs [T, B, 3]"),
    "packed and lengths": (lambda m: m(rnn.pack_sequence([X[:, 0]]), lengths=[5]), "has its own lengths"),
    "no input": (lambda m: m(), "LSTM has the inputs x; given are no x"),
    "unknown input": (lambda m: m(z=X), "given are no x and an unknown z"),
    "state's form": (lambda m: m(X, (X, X)), "states of this module are a dict by name"),
    "unknown state": (lambda m: m(X, {"q": X}), "LSTM has no state q; it has h, c"),
    "state's shape": (lambda m: m(X, {"h": X[0]}), "the state h is [2, 3]; this call needs [2, 4]"),
    "long": (lambda m: m(X, lengths=[1, 9]), "lengths are [1, 9]; the batch has 5 steps"),
    "negative": (lambda m: m(X, lengths=[1, -1]), "lengths are [1, -1]"),
    "too few": (lambda m: m(X, lengths=[1]), "lengths must be 2 whole numbers"),
    "fractions": (lambda m: m(X, lengths=[1.0, 2.0]), "lengths must be 2 whole numbers"),
    "words": (lambda m: m(X, lengths=["a", "b"]), "lengths must be 2 whole numbers, one for each sequence, not ['a"),
    "lengths elsewhere": (lambda m: m(X, lengths=torch.ones(2, device="meta").long()), "these are on meta, the module"),
    "no states": (lambda m: lstm(state="tuple")(X, 3), "LSTM has 2 states (h, c), not 1"),
    "seed": (lambda m: noisy().train()(X, seed=1.5), "seed must be a whole number, not 1.5"),
    "long seed": (lambda m: m.reset_parameters(1 << 63), "seed must be a whole number of at most 63 bits"),
    "steps before": (lambda m: noisy().train()(X, {"t": "a"}), "the state t counts steps: 2 whole numbers"),
    "clock": (lambda m: m(X, lengths={"q": [1, 2]}), "LSTM has no clock q"),
    "no loss": (lambda m: m.loss(X), "LSTM has no loss line"),
    "form": (lambda m: lstm(state="list"), "state is one of names, tuple, not list"),
    "stream": (lambda m: lstm(streams=["forget"]), "LSTM has no stream forget"),
    "kind of dtype": (lambda m: lstm(dtype="int8"), "dtype must be one of torch's real numbers"),
    "dimension": (lambda m: rc.library.spec("LSTM").module(N=3), "LSTM needs H"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name: str) -> None:
    call, message = MISTAKES[name]
    with pytest.raises(rc.RecurrencyError, match=re.escape(message)):
        call(lstm())


def test_a_half_converted_module_is_refused() -> None:
    module = lstm()
    module.W_i.data = module.W_i.data.float()
    with pytest.raises(rc.UsageError, match="convert the whole module"):
        module(X)


def test_symbols_are_checked() -> None:
    tagger = rc.library.spec("Tagger").module(V=5, K=3, N=2, H=3)
    with pytest.raises(rc.ShapeError, match="w holds 5, not a symbol: they go from 0 to 4"):
        tagger(torch.tensor([[5]]))
    with pytest.raises(rc.ShapeError, match="w holds float32; it must hold whole numbers below 5"):
        tagger(torch.ones(1, 1))


def test_a_call_that_fails_leaves_the_module_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    module = lstm()
    wanted = module(X)[0]

    def fail(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no memory left")

    with monkeypatch.context() as patch:
        patch.setattr(type(module.program), "function", lambda *_: fail)
        with pytest.raises(torch.OutOfMemoryError):
            module(X)
    assert torch.equal(module(X)[0], wanted)
