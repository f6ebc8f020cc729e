"""Networks on PyTorch behave as an `nn.Module` does: arguments, states, lengths, copies, dtypes, errors."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.modules import close, rnn
from tests.support.torch_modules import CELLS, inputs_of, lengths_of, lstm, random, shared, state_of, torch

nn = torch.nn


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
