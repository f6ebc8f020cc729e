"""Modules with resets and masks: the numbers and derivatives of the cut sequences, and of the steps that are there."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.cutting import Cut, random_resets
from tests.support.torch_modules import QUIET, lstm, torch

pytestmark = QUIET

T, B = 7, 3
RESETS = random_resets(np.random.default_rng(0), T, B)
CUT = Cut(RESETS, np.full(B, T))
X = np.random.default_rng(1).standard_normal((T, B, 3))


def pieces(module: Any, x: Any) -> tuple[Any, Any]:
    """The output on the cut sequences, put together again, and the states after the last pieces."""
    counts = CUT.counts
    rows = [x[start:stop, b] for b, start, stop in CUT.pieces]
    y, state = module(torch.nn.utils.rnn.pad_sequence(rows), lengths=torch.tensor(counts))
    whole = [[y[: counts[p], p] for p, piece in enumerate(CUT.pieces) if piece[0] == b] for b in range(B)]
    last = {n: CUT.last(s.detach().numpy()) for n, s in state.items()}
    return torch.stack([torch.cat(rows) for rows in whole], 1), last


def close(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_module_with_resets_gives_the_numbers_and_derivatives_of_the_cut_sequences() -> None:
    module, found = lstm(), []
    for way in (lambda x: module(x, resets=torch.tensor(RESETS)), lambda x: pieces(module, x)):
        x = torch.tensor(X, requires_grad=True)
        y, state = way(x)
        first = torch.autograd.grad((y * y).sum(), [x, *module.parameters()], create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), [x, *module.parameters()])
        found.append((y, first, second, state))
    (y, first, second, state), (y_cut, first_cut, second_cut, last) = found
    close(y, y_cut)
    for one, other in zip((*first, *second), (*first_cut, *second_cut), strict=True):
        close(one, other)
    for name, array in last.items():
        np.testing.assert_allclose(state[name].detach().numpy(), array, rtol=0, atol=1e-12)


def test_is_init_of_torchrl_has_a_last_axis_and_the_batch_first() -> None:
    module = lstm(batch_first=True)
    x, flags = torch.tensor(X).transpose(0, 1), torch.tensor(RESETS).T
    wanted = lstm()(torch.tensor(X), resets=torch.tensor(RESETS))[0].transpose(0, 1)
    for resets in (flags, flags.int(), flags.double(), flags[..., None]):
        close(module(x, is_init=resets)[0], wanted)
    close(module(x[0], resets=flags[0])[0], wanted[0])


def test_a_loss_with_resets_is_that_of_the_model() -> None:
    module = rc.library.Music.module(N=3, H=4, dtype=torch.float64, seed=0)
    x = (X > 0).astype(float)
    loss = module.loss(torch.tensor(x), resets=torch.tensor(RESETS))
    model = rc.library.Music.compile(backend="numpy", dtype="float64", N=3, H=4)
    params = model.pack({n: p.detach().numpy() for n, p in module.parameters_by_name().items()})
    assert float(loss.detach()) == pytest.approx(model.loss(params, x, resets=RESETS), abs=1e-12)
    vector = np.random.default_rng(2).standard_normal(model.size)
    product = module.curvature(torch.tensor(x), resets=torch.tensor(RESETS))(torch.tensor(vector))
    np.testing.assert_allclose(product.numpy(), model.gnvp(params, x, vector, resets=RESETS), atol=1e-11)


def test_a_reset_in_the_gap_at_the_end_of_a_call_holds_for_the_next_call() -> None:
    module, mask, resets = lstm(), torch.ones(T, B), torch.zeros(T, B)
    mask[4:6, 0], mask[:6, 1], resets[5, 0], resets[2, 1] = 0, 0, 1, 1
    x = torch.tensor(X, requires_grad=True)
    whole, last = module(x, mask=mask, resets=resets)
    _, state = module(x[:6], mask=mask[:6], resets=resets[:6])
    y, after = module(x[6:], state, mask=mask[6:], resets=resets[6:])
    close(y, whole[6:])
    for name in last:
        close(after[name], last[name])
    (gradient,) = torch.autograd.grad(sum(s[:2].sum() for s in state.values()), x)
    assert not gradient.any()


def test_a_module_with_a_mask_gives_the_numbers_and_gradients_of_the_model() -> None:
    module, rng = lstm(), np.random.default_rng(3)
    model = rc.library.LSTM.compile(backend="numpy", dtype="float64", N=3, H=4)
    params = model.pack({n: p.detach().numpy() for n, p in module.parameters_by_name().items()})
    mask, lengths, seeds = rng.random((T, B)) < 0.6, [7, 5, 6], rng.standard_normal((T, B, 4))
    x = torch.tensor(X, requires_grad=True)
    y, state = module(x, mask=torch.tensor(mask), resets=torch.tensor(RESETS), lengths=lengths)
    run = model.forward(params, X, mask=mask, resets=RESETS, lengths=np.array(lengths))
    np.testing.assert_allclose(y.detach().numpy(), run.output, rtol=0, atol=1e-12)
    np.testing.assert_allclose(state["c"].detach().numpy(), run.state["c"], rtol=0, atol=1e-12)
    (gradient,) = torch.autograd.grad((y * torch.tensor(seeds)).sum(), x)
    np.testing.assert_allclose(gradient.numpy(), model.backward(run, seeds).inputs["x"], rtol=0, atol=1e-12)
    turned = lstm(batch_first=True)(torch.tensor(X).transpose(0, 1), mask=torch.tensor(mask).T, lengths=lengths)[0]
    close(turned.transpose(0, 1), module(torch.tensor(X), mask=torch.tensor(mask), lengths=lengths)[0])


def test_copies_and_pickles_of_a_module_are_reset_too() -> None:
    module, x, resets = lstm(), torch.tensor(X), torch.tensor(RESETS)
    wanted = module(x, resets=resets)[0]
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        close(other(x, resets=resets)[0], wanted)


def test_packed_sequences_take_packed_resets() -> None:
    module, lengths = lstm(), [7, 4, 6]
    rows = [torch.tensor(X[:n, b]) for b, n in enumerate(lengths)]
    flags = [torch.tensor(RESETS[:n, b]) for b, n in enumerate(lengths)]
    pack = torch.nn.utils.rnn.pack_sequence
    packed = module(pack(rows, False), resets=pack(flags, False))[0]
    wanted = module(torch.tensor(X), resets=torch.tensor(RESETS), lengths=lengths)[0]
    close(torch.nn.utils.rnn.pad_packed_sequence(packed)[0], wanted)


def test_an_input_called_resets_stays_an_input() -> None:
    text = "cell Own[N](x: [N], resets: []) -> (y: [N]) {\n y = x * resets + y[t-1]\n}"
    module = rc.parse(text).module(N=2, dtype=torch.float64)
    y, _ = module(x=torch.ones(3, 1, 2, dtype=torch.float64), resets=torch.full((3, 1), 2.0, dtype=torch.float64))
    assert y[-1, 0, 0] == 6


def test_wrong_resets_are_refused() -> None:
    module, x = lstm(), torch.tensor(X)
    flags = torch.tensor(RESETS)
    cases: dict[str, Any] = {
        r"resets is bool \[3, 7\]; it must be \[7, 3\] \(\[T, B\]\)": flags.T,
        "resets hold 2; each of them must be 0 or 1, or a bool": flags * 2,
        "resets hold nan; each of them": torch.where(flags, torch.nan, 0.0),
        "resets is of the type list; it must be a tensor": RESETS.tolist(),
    }
    for message, resets in cases.items():
        with pytest.raises(rc.ShapeError, match=message):
            module(x, resets=resets)
    with pytest.raises(rc.UsageError, match="two names for one thing"):
        module(x, resets=flags, is_init=flags)
    with pytest.raises(rc.UsageError, match="has no clock s"):
        module(x, resets={"s": flags})


def test_a_module_of_a_cell_that_needs_whole_sequences_says_which_line() -> None:
    module = rc.parse("cell W[N](x: [N]) -> (y: [N]) {\n    y = x - last(x)\n}", "w.rnn").module(N=3)
    with pytest.raises(rc.UsageError, match=r"can't be reset .*: line 2 of w\.rnn needs the whole sequence"):
        module(torch.ones(7, 3, 3), resets=torch.tensor(RESETS))


@pytest.mark.long
def test_torch_compile_takes_resets() -> None:
    module = lstm()
    compiled = torch.compile(module, fullgraph=True)
    x, resets = torch.tensor(X), torch.tensor(RESETS)
    close(compiled(x, resets=resets)[0], module(x, resets=resets)[0])
