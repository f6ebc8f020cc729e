"""Several processes on one machine end where one with all the data ends: `recurrency train`, and PyTorch's wrappers.

Processes talk over the loopback interface and have one thread each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.passes.loss_lines import lines
from recurrency.training.loop.loop import INTERRUPTED, Options, train
from recurrency.training.loop.processes import ALONE, NEEDED, joined
from recurrency.training.loop.sharing import Shared
from recurrency.training.tasks import Settings, from_sequences
from tests.support.processes import CLOSE, RAGGED, both
from tests.support.training import Silent

torch = pytest.importorskip("torch")

MIXED = """
cell Mixed[N, H](x: [N], w: [N] over s) -> (y: [H]) {
    param W, V : [H, N] ~ glorot_uniform
    param U    : [H, H] ~ orthogonal

    state y : [H] = 0

    y = tanh(W @ x + U @ y[t-1])
    v = V @ w

    loss dot(y, y) - sum(x)
    loss squared_error(last(y), last(v))
    loss dot(v, v)
    loss 0.1 * l2(W)
    loss l2(V)
}
"""


# ---------------------------------------------------------------------------------------------- shares of a batch


@pytest.fixture(scope="module")
def shared() -> Any:
    """A model with lines of every kind; tests say for which of how many processes it works."""
    return Shared(rc.parse(MIXED).compile(N=2, H=3, dtype="float64"), ALONE)


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_shares_of_a_batch_add_up_to_the_loss_and_gradient_of_the_whole(
    shared: Any, size: int, ragged: bool
) -> None:
    """Also where there are more processes than sequences."""
    rng, params = np.random.default_rng(size), shared.init(0)
    lengths = {"t": np.array([5, 1, 2, 3, 4, 5, 2]), "s": np.array([1, 2, 3, 4, 4, 0, 1])} if ragged else None
    batch = {"inputs": {"x": rng.normal(size=(5, 7, 2)), "w": rng.normal(size=(4, 7, 2))}, "lengths": lengths}
    weights = dict(zip(shared.loss_kinds, (0.5, 2.0, 1.0, 3.0), strict=True))
    losses, gradients, _ = shared.model.losses_and_gradients(params, weights=weights, **batch)
    found, judged = [], []
    for rank in range(size):
        shared.processes = Silent(rank, size)
        found.append(shared.losses_and_gradients(params, weights=weights, **batch))
        judged.append(shared.losses(params, **batch))
    for kind, loss in losses.items():
        assert sum(each[0][kind] for each in found) == pytest.approx(loss, rel=CLOSE)
        assert sum(each[kind] for each in judged) == pytest.approx(loss, rel=CLOSE)
    total = np.sum([each[1].params for each in found], axis=0)
    np.testing.assert_allclose(total, gradients.params, rtol=0, atol=CLOSE * abs(gradients.params).max())


def test_lines_are_told_apart_by_what_they_are_means_over() -> None:
    found = lines(rc.parse(MIXED).graph(N=2, H=3))
    assert {kind: len(own) for kind, own in found.items()} == {"steps:t": 1, "sequences": 1, "steps:s": 1, "once": 2}


def test_processes_draw_different_numbers() -> None:
    class Seen:
        """Writes down the seeds that it is called with."""

        size, batch_first, has_loss, real, random = 2, False, False, np.dtype("float64"), False
        inputs, state_ports, loss_kinds = dict[str, Any](), dict[str, Any](), ("once",)
        spec, over_calls = None, ""
        seeds: list[int] = []  # noqa: RUF012

        def losses_and_gradients(self, *values: Any, seed: int, **rest: Any) -> Any:
            self.seeds.append(seed)
            return {"once": 0.0}, type("", (), {"params": np.zeros(2)}), {}

    for rank in range(2):
        shared: Any = Shared(Seen(), Silent(rank, 2))
        shared.losses_and_gradients(np.zeros(2), {"x": np.zeros((1, 2, 1))}, seed=(1 << 64) - 1)
    assert len(set(Seen.seeds)) == 2
    assert all(0 <= seed < 1 << 64 for seed in Seen.seeds)


def test_an_interrupt_of_one_process_ends_training_in_all() -> None:
    model = rc.parse(RAGGED).compile(N=2, H=3)
    data = rc.training.data.Sequences({"x": [np.ones((3, 2))] * 4}, {"x": "t"})
    task = from_sequences("ones", {"train": data}, Settings(batch=2))
    processes = Silent(0, 2, interrupted=True)
    history = train(Shared(model, processes), task, Options(epochs=3))
    assert history.stopped == INTERRUPTED
    assert history.epochs == []


@pytest.mark.parametrize("given", [{}, {"WORLD_SIZE": "4"}, dict.fromkeys(NEEDED, "1")], ids=["none", "some", "one"])
def test_whoever_is_alone_needs_nobody(given: Mapping[str, str]) -> None:
    with joined(given) as processes:
        assert processes is ALONE


def test_the_message_names_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    from recurrency.training.loop import processes as module

    monkeypatch.setattr(module, "_group", lambda processes: nullcontext())
    with pytest.raises(UsageError, match=r"^process 1 of 2: there is no task"), joined(_second()):
        raise UsageError("there is no task")


def _second() -> dict[str, str]:
    return {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}


# ------------------------------------------------------------------------------------------- wrappers of PyTorch


WRAPPED = """
import torch
from torch import distributed
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import recurrency as rc

def module():
    return rc.library.LSTM.module(N=3, H=4, seed=1, state="tuple").double()

def loss(module, x):
    y, _ = module(x)
    return y.square().mean()

distributed.init_process_group("gloo")
x = torch.randn(6, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
half = x[:, distributed.get_rank() :: 2]
alone, replicated, sharded = module(), DistributedDataParallel(module()), module()
fully_shard(sharded)
assert all(p.to_local().numel() < p.numel() for p in sharded.parameters()), "each process holds its part"
loss(alone, x).backward()
for wrapped in (replicated, sharded):
    loss(wrapped, half).backward()
    for wanted, found in zip(alone.parameters(), wrapped.parameters(), strict=True):
        found = found.grad.full_tensor() if wrapped is sharded else found.grad
        torch.testing.assert_close(found, wanted.grad, rtol=0, atol=1e-15)
for wrapped in (alone, replicated, sharded):
    torch.optim.SGD(wrapped.parameters(), lr=0.1).step()
after = [loss(alone, half).item(), loss(replicated, half).item(), loss(sharded, half).item()]
assert max(after) - min(after) < 1e-15, after
del replicated, sharded, wrapped, found  # they must not outlive the group, whose threads they would wait for
distributed.destroy_process_group()
"""


def test_gradients_of_wrapped_modules_are_those_of_one_process_with_both_halves(tmp_path: Path) -> None:
    """`DistributedDataParallel`, and `fully_shard` (FSDP), which holds a part of each parameter in each process."""
    (tmp_path / "wrapped.py").write_text(WRAPPED, encoding="utf-8")
    for code, _, said in both("wrapped.py", folder=tmp_path):
        assert code == 0, said[-3000:]
