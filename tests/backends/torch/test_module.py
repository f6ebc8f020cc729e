"""Networks on PyTorch behave as an `nn.Module` does: arguments, states, lengths, copies, dtypes, errors."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend
from tests.support.torch_modules import CELLS, inputs_of, lengths_of, lstm, random, shared, state_of, torch

nn = torch.nn
rnn = torch.nn.utils.rnn
close = torch.testing.assert_close

DROPOUT = """
cell Noisy[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal
    state h : [H] = 0
    h = tanh(W @ dropout(x, 0.5) + U @ h[t-1])
}"""


def noisy() -> Any:
    return rc.parse(DROPOUT).module(N=3, H=4, dtype=torch.float64, seed=0)


# ------------------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("name", CELLS)
def test_a_module_computes_what_its_model_computes(name: str) -> None:
    module = shared(name, streams=True)
    model = module.model.spec.compile(backend="interpreter", dtype="float64", **module.program.recipe[1])
    arrays = {n: x.numpy() for n, x in inputs_of(module).items()}
    state = {n: s.numpy() for n, s in state_of(module).items()}
    params = model.pack({n: p.detach().numpy() for n, p in module.parameters_by_name().items()})
    keywords = {"lengths": lengths_of(module), "training": True, "seed": 3}
    wanted = model.forward(params, arrays, state, streams=module.program.streams, keep=False, **keywords)
    found = module(inputs_of(module), state_of(module), lengths_of(module), seed=3)
    outputs = found[0] if isinstance(found[0], dict) else {next(iter(wanted.outputs)): found[0]}
    for tensors, arrays in (outputs, wanted.outputs), (found[1], wanted.state), (found[-1], wanted.streams):
        assert set(tensors) >= set(arrays)
        for n, array in arrays.items():
            np.testing.assert_allclose(tensors[n].detach().numpy(), array, rtol=1e-11, atol=1e-11, err_msg=n)
    if model.has_loss:
        loss = module.loss(inputs_of(module), state_of(module), lengths_of(module), seed=3)
        assert loss.item() == pytest.approx(model.loss(params, arrays_of(module), state, **keywords), rel=1e-11)


def arrays_of(module: Any) -> dict[str, Any]:
    return {n: x.numpy() for n, x in inputs_of(module).items()}


def test_symbols_of_the_loss_may_be_left_out_where_no_loss_is_wanted() -> None:
    tagger = rc.library.spec("Tagger").module(V=5, K=3, N=2, H=3)
    w = torch.tensor([[1, 2], [0, 4]])
    p, _ = tagger(w)
    assert p.shape == (2, 2, 3)
    with pytest.raises(rc.UsageError, match="given are no tag"):
        tagger.loss(w=w)


# --------------------------------------------------------------------------------------------------- as in nn.LSTM


def test_states_as_a_tuple_are_those_of_torch() -> None:
    x = random(5, 2, 3).float()
    for cell, theirs in ("PlainLSTM", nn.LSTM(3, 4)), ("TorchGRU", nn.GRU(3, 4)), ("Elman", nn.RNN(3, 4)):
        ours = rc.library.spec(cell).module(N=3, H=4, state="tuple")
        for given in x, x[:, 0]:
            found, wanted = ours(given), theirs(given)
            assert shapes(found) == shapes(wanted)
            assert shapes(ours(given, found[1])) == shapes(wanted)


def shapes(found: Any) -> Any:
    return tuple(found.shape) if isinstance(found, torch.Tensor) else [shapes(part) for part in found]


def test_one_sequence_needs_no_axis_for_it() -> None:
    module, x = lstm(), random(5, 2, 3)
    y, state = module(x[:, 0])
    close(y, module(x)[0][:, 0])
    assert state["h"].shape == (4,)
    close(module(x[:, 0], state)[0], module(torch.cat([x, x]))[0][5:, 0])


def test_batch_first_swaps_the_axes_of_inputs_and_outputs_only() -> None:
    module, x = lstm(), random(5, 2, 3)
    swapped = lstm(batch_first=True)
    y, state = module(x)
    y2, state2 = swapped(x.transpose(0, 1))
    close(y2, y.transpose(0, 1))
    close(state2, state)


def test_chunks_carry_the_states_across() -> None:
    module, x = lstm(state="tuple"), random(7, 2, 3)
    first, state = module(x[:3])
    second, state = module(x[3:], state)
    whole, end = module(x)
    close(torch.cat([first, second]), whole)
    close(state, end)


@pytest.mark.parametrize("order", [[3, 5, 2], [5, 3, 2]])
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_sequences_go_in_and_come_out(order: list[int], batch_first: bool) -> None:
    module, first = lstm(batch_first=batch_first, state="tuple"), random(1, 3, 4, seed=1)
    sequences = [random(n, 3, seed=n) for n in order]
    packed = rnn.pack_sequence(sequences, enforce_sorted=order[0] == 5)
    y, (h, _) = module(packed, (first, first))
    theirs = nn.LSTM(3, 4).double()(packed)[0]
    assert all(torch.equal(a, b) for a, b in zip(y[1:], theirs[1:], strict=True) if b is not None)
    padded, lengths = rnn.pad_packed_sequence(y)
    assert lengths.tolist() == order
    for k, sequence in enumerate(sequences):
        alone, (end, _) = lstm(state="tuple")(sequence.unsqueeze(1), (first[:, k : k + 1],) * 2)
        close(padded[: order[k], k], alone[:, 0])
        close(h[:, k], end[:, 0])


def test_padding_is_never_read() -> None:
    module, x = lstm(), random(5, 2, 3)
    spoilt = x.clone()
    spoilt[3:, 0] = torch.nan
    for lengths in [3, 5], torch.tensor([3, 5]), {"t": [3, 5]}:
        module.zero_grad()
        y, state = module(spoilt, lengths=lengths)
        y.square().sum().backward()
        close(state["h"][0], module(x[:3])[1]["h"][0])
        assert not y[3:, 0].any()
        assert all(p.grad.isfinite().all() for p in module.parameters())


def test_gradients_that_come_from_padding_count_for_nothing() -> None:
    module, x = lstm(), random(5, 2, 3, requires_grad=True)
    parts = x.detach()[:3, :1].requires_grad_(), x.detach()[:, 1:].requires_grad_()
    weight = random(5, 2, 4, seed=1)
    (module(x, lengths=[3, 5])[0] * weight).sum().backward()
    whole = {name: p.grad for name, p in module.named_parameters()}
    module.zero_grad()
    ((module(parts[0])[0] * weight[:3, :1]).sum() + (module(parts[1])[0] * weight[:, 1:]).sum()).backward()
    close(whole, {name: p.grad for name, p in module.named_parameters()})
    close(x.grad, torch.cat([torch.cat([parts[0].grad, torch.zeros(2, 1, 3)]), parts[1].grad], 1))


def test_symbols_in_padding_may_be_anything() -> None:
    tagger = rc.library.spec("Tagger").module(V=5, K=3, N=2, H=3)
    spoilt = torch.tensor([[1, 2], [0, 999], [4, -7]])
    close(tagger(spoilt, lengths=[3, 1])[0], tagger(torch.where(spoilt.abs() > 5, 0, spoilt), lengths=[3, 1])[0])


def test_inner_streams_come_on_request() -> None:
    y, state, streams = lstm(streams=["c", "o"])(random(5, 2, 3))
    assert list(streams) == ["c", "o"]
    close(streams["c"][-1], state["c"])
    close(streams["o"] * streams["c"].tanh(), y)


# -------------------------------------------------------------------------------------------------------- parameters


def test_parameters_have_the_names_of_the_specification() -> None:
    module = rc.library.spec("Music").module(N=3, H=4)
    names = [name for name, _ in module.named_parameters()]
    assert set(names) == set(module.state_dict()) == set(module.model.parameters)
    assert list(module.parameters_by_name()) == list(module.model.parameters)
    assert any("." in name for name in names)


def test_a_seed_draws_what_the_model_draws() -> None:
    module = lstm(seed=7)
    wanted = module.model.views(module.model.init(7))
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(parameter.detach().numpy(), wanted[name], rtol=1e-6)


def test_without_a_seed_torch_decides() -> None:
    spec = rc.library.spec("Linear")
    torch.manual_seed(3)
    first, second = spec.module(N=3, K=4), spec.module(N=3, K=4)
    torch.manual_seed(3)
    assert torch.equal(first.W, spec.module(N=3, K=4).W)
    assert not torch.equal(first.W, second.W)


def test_copies_compute_the_same_and_share_nothing() -> None:
    module, x = lstm(), random(5, 2, 3)
    wanted = module(x)[0].detach()
    loaded = lstm(seed=1)
    loaded.load_state_dict(module.state_dict())
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    for other in copy.deepcopy(module), torch.load(buffer, weights_only=False), loaded:
        assert torch.equal(other(x)[0], wanted)
        with torch.no_grad():
            other.W_i.zero_()
        assert torch.equal(module(x)[0], wanted)


def test_parametrised_weights_are_the_ones_that_count() -> None:
    module, x = copy.deepcopy(lstm()), random(5, 2, 3)
    y = module(x)[0]
    nn.utils.parametrizations.weight_norm(module, "U_i")
    close(module(x)[0], y)
    module(x)[0].sum().backward()
    assert module.parametrizations.U_i.original0.grad.any()


def test_the_printed_form_has_sizes_and_equations() -> None:
    text = repr(lstm(state="tuple", batch_first=True))
    assert text.startswith("LSTM(\n  N=3, H=4, batch_first=True, state=(h, c)\n")
    assert "  h = o * tanh(c)\n" in text


def test_a_module_on_meta_gets_its_values_later() -> None:
    module = lstm(device="meta")
    y, _ = module(torch.empty(5, 2, 3, device="meta", dtype=torch.float64))
    assert (y.shape, y.device.type) == ((5, 2, 4), "meta")
    module = module.to_empty(device="cpu")
    module.reset_parameters(seed=0)
    close(module(random(5, 2, 3)), lstm()(random(5, 2, 3)))


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
    from recurrency.backends.torch.module_kernels import _of_cupy

    stream = SimpleNamespace(cuda_stream=7, __cuda_stream__=lambda: (0, 7))
    old = SimpleNamespace(Stream=SimpleNamespace(), ExternalStream=lambda *about: ("external", *about))
    new = SimpleNamespace(Stream=SimpleNamespace(from_external=lambda one: ("of", one.cuda_stream)))
    assert _of_cupy(stream, 1, old) == ("external", 7, 1)
    assert _of_cupy(stream, 1, new) == ("of", 7)


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
