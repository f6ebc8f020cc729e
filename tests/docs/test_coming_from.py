"""What docs/coming-from.md and docs/torch.md say of `torch.nn`: each statement is executed on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.support.pages import FENCE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming-from.md"
T, B, N, H = 5, 3, 3, 4
CLOSE = 1e-5


def spec_of(name: str) -> rc.Spec:
    """A spec that the page shows."""
    (text,) = (m["text"] for m in FENCE.finditer(PAGE.read_text(encoding="utf-8")) if m["name"] == name)
    return rc.parse(text)


@pytest.fixture(scope="module")
def x() -> Any:
    return torch.randn(T, B, N, generator=torch.Generator().manual_seed(0))


def loaded(module: Any, layer: Any) -> Any:
    module.load_state_dict(rc.convert.from_torch(module, layer))
    return module


def pair(layer: Any, x: Any, cell: str, **options: Any) -> tuple[Any, Any]:
    """What a layer of PyTorch and the module that the page names return."""
    module = loaded(rc.library.spec(cell).module(N=N, H=H, **options), layer)
    with torch.no_grad():
        return layer(x), module(x)


def close(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=0, atol=CLOSE))


def test_plain_lstm_and_torch_gru_take_the_place_of_their_layers(x: Any) -> None:
    (y, (h, c)), (ours, (ours_h, ours_c)) = pair(nn.LSTM(N, H), x, "PlainLSTM", state="tuple")
    assert close(ours, y)
    assert close(ours_h, h)
    assert close(ours_c, c)
    (y, h), (ours, ours_h) = pair(nn.GRU(N, H), x, "TorchGRU", state="tuple")
    assert close(ours, y)
    assert close(ours_h, h)


@pytest.mark.parametrize(("kind", "options"), [("tanh", {}), ("relu", {"squash": "relu"})])
def test_elman_is_the_plain_layer(x: Any, kind: str, options: dict[str, str]) -> None:
    (y, _), (ours, state) = pair(nn.RNN(N, H, nonlinearity=kind), x, "Elman", **options)
    assert close(ours, y)
    assert sorted(state) == ["h"]


def test_batch_first_swaps_sequences_and_steps_but_not_those_of_states(x: Any) -> None:
    swapped = x.transpose(0, 1)
    theirs, ours = pair(nn.LSTM(N, H, batch_first=True), swapped, "PlainLSTM", state="tuple", batch_first=True)
    assert close(ours[0], theirs[0])
    assert close(ours[1][0], theirs[1][0])
    assert ours[1][0].shape == (1, B, H)


def test_the_initial_values_differ_as_the_page_says() -> None:
    ours = rc.library.PlainLSTM.module(N=N, H=H)
    assert all(bool((getattr(ours, f"b_{gate}") == (gate == "f")).all()) for gate in "ifgo")
    theirs = {name: value for name, value in nn.LSTM(N, H).named_parameters() if "bias" in name}
    assert [tuple(value.shape) for value in theirs.values()] == [(4 * H,)] * 2


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projection_is_the_cell_with_peepholes_of_zero(x: Any) -> None:
    layer = nn.LSTM(N, H, proj_size=2)
    cell = rc.library.LSTMP.module(N=N, H=H, R=2)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        for name, value in (
            ("W", layer.weight_ih_l0),
            ("U", layer.weight_hh_l0),
            ("b", layer.bias_ih_l0 + layer.bias_hh_l0),
        ):
            for gate, part in zip("ifgo", value.chunk(4), strict=True):
                getattr(cell, f"{name}_{gate}").copy_(part)
        cell.W_rm.copy_(layer.weight_hr_l0)
        assert close(cell(x)[0], layer(x)[0])


def test_layers_and_directions_are_cells_of_cells(x: Any) -> None:
    (y, _), (ours, _) = pair(nn.LSTM(N, H, num_layers=2), x, "Stacked", L=2, Cell="PlainLSTM")
    assert close(ours, y)
    (y, _), (ours, _) = pair(nn.LSTM(N, H, bidirectional=True), x, "Bidirectional", Cell="PlainLSTM")
    assert close(ours, y)


def between_of(layer: Any) -> Any:
    """The cell of the page with the weights of two layers; they are matched without its dropout."""
    spec = spec_of("between.rnn")
    module = spec.module(N=N, H=H)
    module.load_state_dict(rc.convert.from_torch(spec, layer, p=0.0))
    return module


def test_dropout_of_a_layer_acts_between_layers_and_not_on_the_input(x: Any) -> None:
    """With a probability of almost one nothing of the first layer arrives in the second."""
    layer = nn.LSTM(N, H, num_layers=2, dropout=1.0)
    other = x + 1
    with torch.no_grad():
        (one, (h, _)), (two, (other_h, _)) = layer(x), layer(other)
        assert torch.equal(one, two)
        assert not torch.equal(h[0], other_h[0])
        assert torch.equal(h[0], layer.eval()(x)[1][0][0])
    between = between_of(layer)
    stacked = rc.library.Stacked.module(N=N, H=H, L=2, p=0.5, Cell="PlainLSTM")
    stacked.load_state_dict(rc.convert.from_torch(rc.library.Stacked, layer, L=2, Cell="PlainLSTM"))
    for module, whole in ((between, True), (stacked, False)):
        low = next(name for name in module(x)[1] if name.endswith("h") and ("below" in name or "1" in name))
        drawn, plain = module.train()(x, seed=1), module.eval()(x)
        assert not close(drawn[0], plain[0])
        assert torch.equal(drawn[1][low], plain[1][low]) is whole


def test_between_has_the_equations_of_two_layers(x: Any) -> None:
    layer = nn.LSTM(N, H, num_layers=2, dropout=0.2).eval()
    module = between_of(layer).eval()
    assert close(module(x)[0], layer(x)[0])


def test_packed_sequences_and_lengths_have_the_same_effect(x: Any) -> None:
    layer, ends = nn.LSTM(N, H), [2, 5, 3]
    module = loaded(rc.library.PlainLSTM.module(N=N, H=H, state="tuple"), layer)
    packed = pack_padded_sequence(x, ends, enforce_sorted=False)
    with torch.no_grad():
        theirs, (h, c) = layer(packed)
        ours, (ours_h, ours_c) = module(packed)
        filled = x.clone()
        for column, end in enumerate(ends):
            filled[end:, column] = float("nan")
        padded, (padded_h, _) = module(filled, lengths=ends)
    wanted = pad_packed_sequence(theirs)[0]
    assert close(pad_packed_sequence(ours)[0], wanted)
    assert close(padded, wanted)
    assert close(ours_h, h)
    assert close(ours_c, c)
    assert close(padded_h, h)


def test_a_step_is_an_lstm_cell() -> None:
    cell = nn.LSTMCell(N, H)
    model = rc.library.PlainLSTM.compile(backend="numpy", N=N, H=H)
    params = model.pack({name: value.numpy() for name, value in rc.convert.from_torch(model, cell).items()})
    x, h, c = torch.randn(B, N), torch.zeros(B, H), torch.zeros(B, H)
    state: Any = None
    for _ in range(2):
        with torch.no_grad():
            h, c = cell(x, (h, c))
        _, state = model.step(params, {"x": x.numpy()}, state)
    assert np.allclose(state["h"], h.numpy(), rtol=0, atol=CLOSE)
    assert np.allclose(state["c"], c.numpy(), rtol=0, atol=CLOSE)


def test_what_a_module_has_not_of_nn_lstm() -> None:
    module = rc.library.PlainLSTM.module(N=N, H=H)
    for name in ("num_layers", "bidirectional", "dropout", "hidden_size", "flatten_parameters"):
        assert hasattr(nn.LSTM(N, H), name)
        assert not hasattr(module, name)
    with pytest.raises(rc.UsageError):
        rc.library.PlainLSTM.module(N=N, H=H, num_layers=2)


@pytest.mark.long
def test_the_example_for_lightning_learns() -> None:
    pytest.importorskip("lightning", reason="lightning is not installed")
    import subprocess
    import sys

    file = PAGE.parent / "examples" / "lightning_cell.py"
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=300, check=True)
    assert float(done.stdout.rsplit("accuracy ", 1)[1]) > 0.9
