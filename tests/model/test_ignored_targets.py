"""Targets that are "no symbol", -1: their steps and sequences do not count, in one piece and in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import recurrency as rc
from recurrency.training.data.sequences import Batch
from recurrency.training.loop.loop import evaluate
from recurrency.training.loop.progress import Options
from recurrency.training.loop.sharing import Shared
from recurrency.training.loop.updates import Learner
from recurrency.training.loop.weighing import counts, counts_of, with_next
from tests.support.resetting import Array, close
from tests.support.training import Silent

MIXED = """
use GRU, Linear from library

cell Mixed[V, N, H](w: index[V], v: index[V]) -> (y: [V]) {
    param E : [V, N] ~ normal(0, 1)

    y = Linear[V](GRU[H](embed(E, w[t-1])))
    e = cross_entropy(y, v)

    loss 0.5 * (e + cross_entropy(y, w)) - cross_entropy(y, last(v)) / 2
    loss exp(e)
    loss cross_entropy(last(y), last(w)) + 1e-2 * l2(E)
}"""
"""Summands with different targets, powers of a loss, targets of sequences, and a penalty."""

ECHO = """
use GRU, Linear from library

cell Echo[V, N, H](w: index[V]) -> (y: [V]) {
    param E : [V, N] ~ normal(0, 1)

    y = Linear[V](GRU[H](embed(E, w)))
    loss cross_entropy(y, w[t-2])
}"""
"""Which steps count depends on earlier ones."""

LENGTHS = np.array([6, 3, 2, 5])


def compiled(text: str, backend: str = "numpy", **options: Any) -> Any:
    return rc.parse(text).compile(backend=backend, dtype="float64", V=3, N=2, H=2, **options)


def drawn(seed: int = 0, *names: str) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-1, 3, (6, 4)) for name in names}


def by_hand(model: Any, params: Array, w: Array, v: Array) -> float:
    """The loss of MIXED, from its outputs."""
    y = model.forward(params, {"w": w, "v": v}, lengths=LENGTHS).output
    scores, real = y - np.log(np.exp(y).sum(-1, keepdims=True)), np.arange(6)[:, None] < LENGTHS

    def mean(target: Array, of: Any = lambda e: e) -> float:
        each = -np.take_along_axis(scores, np.maximum(target, 0)[..., None], -1)[..., 0]
        return float(of(each)[real & (target >= 0)].mean())

    ends = (LENGTHS - 1, np.arange(4))
    of_v, of_w = v[ends], np.where(w[ends] >= 0, w[ends], -1)
    at_end = np.where(np.arange(6)[:, None] == LENGTHS - 1, of_w, -1)
    found = 0.5 * (mean(v) + mean(w)) - mean(np.broadcast_to(of_v, v.shape)) / 2
    return found + mean(v, np.exp) + mean(at_end) + 1e-2 * float((model.views(params)["E"] ** 2).sum())


@pytest.mark.parametrize("backend", ["interpreter", "numpy"])
def test_each_summand_is_the_mean_over_the_steps_with_its_target(backend: str) -> None:
    model, data = compiled(MIXED, backend), drawn(0, "w", "v")
    params = model.init(0)
    assert model.loss_kinds == ("weight:0", "weight:1", "weight:2", "weight:sequences:3", "once")
    loss, gradients, _ = model.loss_and_gradients(params, data, lengths=LENGTHS)
    assert loss == pytest.approx(by_hand(model, params, **data), rel=1e-13)
    vector = np.random.default_rng(1).standard_normal(model.size)
    ahead, behind = (by_hand(model, params + by * vector, **data) for by in (1e-5, -1e-5))
    assert float(gradients.params @ vector) == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("ignored", [0, 5, 12])
def test_the_mean_is_that_of_pytorch_with_ignore_index(ignored: int) -> None:
    """All 12 targets ignored: torch gives 0 / 0, we 0."""
    text = "cell W[V](z: [V], w: index[V]) -> (y: [V]) {\n y = z\n loss cross_entropy(y, w)\n}"
    model = rc.parse(text).compile(backend="numpy", dtype="float64", V=3)
    rng = np.random.default_rng(ignored)
    z, w = rng.standard_normal((4, 3, 3)), rng.integers(0, 3, 12)
    w[rng.permutation(12)[:ignored]] = -1
    w = w.reshape(4, 3)
    loss, gradients, _ = model.loss_and_gradients(model.init(), {"z": z, "w": w})
    there = torch.tensor(z, requires_grad=True)
    wanted = cross_entropy(there.reshape(12, 3), torch.tensor(w).reshape(12), ignore_index=-1)
    if ignored == 12:
        assert loss == 0.0
        assert not gradients.inputs["z"].any()
        return
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-13)
    assert there.grad is not None
    close(gradients.inputs["z"], there.grad.numpy())


def test_products_are_those_of_the_mean_over_the_steps_that_count() -> None:
    model, data = compiled(MIXED), drawn(2, "w", "v")
    params, vector = model.init(0), np.random.default_rng(2).standard_normal(model.size)
    ahead, behind = (
        model.loss_and_gradients(params + by * vector, data, lengths=LENGTHS)[1].params for by in (1e-5, -1e-5)
    )
    found = model.hvp(params, data, vector, lengths=LENGTHS)
    np.testing.assert_allclose(found, (ahead - behind) / 2e-5, rtol=0, atol=1e-8)
    model, data = compiled(ECHO), drawn(3, "w")
    params, v = model.init(0), vector[: model.size]
    jump = model.jvp(params, data, v)[0]["y"]
    y, there = model.forward(params, data).output, np.roll(data["w"], 2, 0) >= 0
    there[:2] = False
    p = np.exp(y) / np.exp(y).sum(-1, keepdims=True)
    curved = (jump * p * jump).sum(-1) - (p * jump).sum(-1) ** 2
    assert float(v @ model.gnvp(params, data, v)) == pytest.approx(curved[there].mean(), rel=1e-10)


def test_chunks_batches_and_pieces_add_up() -> None:
    model, data = compiled(ECHO), drawn(4, "w")
    params = model.init(0)
    loss, gradients, _ = model.loss_and_gradients(params, data, lengths=LENGTHS)
    found, again, _ = compiled(ECHO, checkpoint=2).loss_and_gradients(params, data, lengths=LENGTHS)
    assert found == pytest.approx(loss, rel=1e-13)
    close(again.params, gradients.params)
    whole = Batch(data, LENGTHS)
    assert evaluate(model, params, [whole.part([3]), whole.part([0, 2]), whole.part([1])]) == pytest.approx(loss)
    pieces = [Batch({"w": data["w"][a : a + 2]}, fresh=not a) for a in (0, 2, 4)]
    assert evaluate(model, params, pieces) == pytest.approx(model.loss(params, data), rel=1e-13)
    parts, _ = Learner(model, Options(epochs=1)).gradient(params, list(with_next(pieces)))
    assert sum(part.counts["weight:0"] for part in parts) == model.loss_weights(data)["weight:0"].sum()


def test_a_reset_takes_the_target_of_the_episode_before() -> None:
    model, data = compiled(ECHO), drawn(5, "w")
    start = np.zeros((6, 4))
    start[3] = 1.0
    cut = {"w": np.concatenate([data["w"][:3], data["w"][3:]], 1)}
    params = model.init(0)
    wanted, batch = model.loss(params, cut), Batch(data, flags={"resets": start})
    assert model.loss(params, data, resets=start) == pytest.approx(wanted, rel=1e-13)
    assert evaluate(model, params, [batch.part([0]), batch.part([1, 2, 3])]) == pytest.approx(wanted, rel=1e-13)
    assert counts(model, batch) == counts(model, Batch(cut))


def test_processes_share_the_steps_that_count() -> None:
    model, data = compiled(MIXED), drawn(6, "w", "v")
    params = model.init(0)
    whole = model.losses(params, data, lengths=LENGTHS)
    shared, found = Shared(model, Silent(0, 3)), []
    for rank in range(3):
        shared.processes = Silent(rank, 3)
        found.append(shared.losses(params, data, lengths=LENGTHS))
    for kind, loss in whole.items():
        assert sum(each[kind] for each in found) == pytest.approx(loss, rel=1e-12)


def test_sequences_without_a_target_count_where_they_end() -> None:
    model, data = compiled(MIXED.replace("- cross_entropy(y, last(v)) / 2", "")), drawn(7, "w", "v")
    pieces = [Batch({n: a[s] for n, a in data.items()}, fresh=f) for s, f in ((slice(3), True), (slice(3, 6), False))]
    found = counts_of(model, with_next(pieces))
    (kind,) = (kind for kind in model.loss_kinds if kind.startswith("weight:sequences"))
    assert [each[kind] for each in found] == [0, (data["w"][-1] >= 0).sum()]
    params = model.init(0)
    assert evaluate(model, params, pieces) == pytest.approx(model.loss(params, data), rel=1e-12)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a + b - l1(y) / 2 + l2(E)", ("weight:0", "weight:1", "steps:t")),
        ("2 * (a - b / 3) + a", ("weight:0", "weight:1")),
        ("a * b", ("weight:0",)),
        ("where(a < b, a, b)", ("weight:0",)),
        ("clip_grad(a + b, 1)", ("weight:0",)),
        ("mean_over_time(a) + 1", ("sequences",)),
        ("a * l2(y) + a", ("weight:0",)),
    ],
)
def test_summands_are_told_apart_by_their_targets(text: str, kinds: tuple[str, ...]) -> None:
    """The sum of the lines weighed by hand, with lines that are computed from both targets where both are there."""
    body = f"a = cross_entropy(y, w)\n b = cross_entropy(y, v)\n loss {text}\n}}"
    model = compiled(MIXED[: MIXED.index("    e = ")] + body)
    data, params = drawn(8, "w", "v"), model.init(0)
    assert model.loss_kinds == kinds
    scores = (y := model.forward(params, data).output) - np.log(np.exp(y).sum(-1, keepdims=True))
    a, b = (-np.take_along_axis(scores, np.maximum(data[n], 0)[..., None], -1)[..., 0] for n in "wv")
    of_a, of_b = (data[n] >= 0 for n in "wv")
    both, size = of_a & of_b, float((model.views(params)["E"] ** 2).sum())
    wanted = {
        "a + b - l1(y) / 2 + l2(E)": a[of_a].mean() + b[of_b].mean() - abs(y).sum(-1).mean() / 2 + size,
        "2 * (a - b / 3) + a": 3 * a[of_a].mean() - 2 / 3 * b[of_b].mean(),
        "a * b": (a * b)[both].mean(),
        "where(a < b, a, b)": np.minimum(a, b)[both].mean(),
        "clip_grad(a + b, 1)": (a + b)[both].mean(),
        "mean_over_time(a) + 1": (a * of_a).mean() + 1,
        "a * l2(y) + a": (a * ((y**2).sum(-1) + 1))[of_a].mean(),
    }
    assert model.loss(params, data) == pytest.approx(wanted[text], rel=1e-12)


def test_symbols_that_are_computed_always_count() -> None:
    text = "cell S(z: [3]) -> (y: [3]) {\n y = z\n loss cross_entropy(y, argmax(y))\n}"
    assert rc.parse(text).compile(backend="numpy").loss_kinds == ("steps:t",)
