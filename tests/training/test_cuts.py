"""No figure depends on how sequences were cut into batches: validation, measures, gradients and reported losses.

Sizes of batches, accumulation, chunks within a call and from call to call, several processes, ragged lengths; for every
kind of loss line and their mixtures, and for every task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch, Sequences, batches
from recurrency.training.data.sequences import joined
from recurrency.training.data.streams import Streams
from recurrency.training.loop.loop import Options, evaluate, train
from recurrency.training.loop.optimisers import Sgd
from recurrency.training.loop.processes import Processes
from recurrency.training.loop.progress import History
from recurrency.training.loop.sharing import Shared
from recurrency.training.loop.updates import Learner
from recurrency.training.runs.fitting import fitted
from recurrency.training.tasks import TASKS, Settings, Task, from_sequences
from recurrency.training.tasks.own import own_task
from tests.support import small_data

ROUNDING = 1e-11
"""For sums of some hundred numbers of about 1 in float64, in another order."""

LINES = {
    "steps": "loss squared_error(y, target)",
    "sequences": "loss squared_error(last(y), first(target))",
    "sums": "loss sum(sum_over_time(y * target))",
    "over s": "loss l2(v)",
    "once": "loss 0.3 * l2(W) + l1(U)",
}
MIXED = [(name,) for name in LINES] + [("steps", "sequences"), ("sequences", "once"), tuple(LINES)]
SIZES = (1, 2, 3, 99)


def model(names: tuple[str, ...], **how: Any) -> Any:
    text = f"""
    cell Cut[N, H](x: [N], target: [H], w: [N] over s) -> (y: [H]) {{
        param W, V : [H, N] ~ glorot_uniform
        param U    : [H, H] ~ orthogonal

        state y : [H] = 0

        y = tanh(W @ x + U @ y[t-1])
        v = V @ w
        {chr(10).join(LINES[name] for name in names)}
    }}
    """
    return rc.parse(text).compile(N=2, H=3, dtype="float64", backend="numpy", **how)


def ragged(count: int = 12) -> Sequences:
    rng = np.random.default_rng(count)
    steps = {"t": rng.integers(1, 9, count), "s": rng.integers(1, 6, count)}
    shapes = {"x": ("t", 2), "target": ("t", 3), "w": ("s", 2)}
    inputs = {name: [rng.standard_normal((n, size)) for n in steps[clock]] for name, (clock, size) in shapes.items()}
    return Sequences(inputs, {name: clock for name, (clock, _) in shapes.items()})


def cut(data: Sequences, size: int) -> list[Batch]:
    return list(batches(data, size, np.float64))


def gradient(net: Any, params: Any, parts: list[Batch]) -> Any:
    """That of one update with these batches."""
    return Learner(net, Options()).gradient(params, [(part, True) for part in parts])[1]


def test_two_lines_of_two_kinds_are_weighed_each_by_its_own() -> None:
    """Steps: one of ten is 1, so 0.1; sequences: one of two, so 0.5."""
    net = rc.parse("cell Same(x: [1]) -> (y: [1]) {\n y = x\n loss l2(y)\n loss l2(last(y))\n}").compile()
    data = Sequences({"x": [np.ones((1, 1)), np.zeros((9, 1))]}, {"x": "t"})
    for size in (1, 2):
        task = from_sequences("two", {"train": data, "valid": data}, Settings(batch=size, dtype="float32"))
        assert evaluate(net, net.init(0), task.valid()) == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize("names", MIXED, ids="+".join)
def test_losses_and_accumulated_gradients_are_those_of_one_batch(names: tuple[str, ...]) -> None:
    net, data = model(names), ragged()
    params = net.init(0)
    whole = joined(data, np.float64)
    loss, gradients, _ = net.loss_and_gradients(params, whole.inputs, lengths=whole.lengths)
    for size in SIZES:
        parts = cut(data, size)
        assert evaluate(net, params, parts) == pytest.approx(loss, rel=ROUNDING)
        found = gradient(net, params, parts)
        np.testing.assert_allclose(found, gradients.params, rtol=0, atol=ROUNDING * abs(gradients.params).max())


@pytest.mark.parametrize("names", [("steps", "sequences"), tuple(LINES)], ids="+".join)
def test_the_training_loss_of_an_epoch_and_its_updates_are_those_of_one_batch(names: tuple[str, ...]) -> None:
    """With a rate so small that the parameters stay, the loss of an epoch is that of its sequences."""
    net, data = model(names), ragged()

    def run(size: int, accumulate: int, rate: float) -> History:
        task = Task("cut", lambda epoch, rng: iter(cut(data, size)), -(-len(data) // size))
        return train(net, task, Options(Sgd(rate), epochs=1, accumulate=accumulate))

    still = [run(size, accumulate, 1e-300).epochs[0] for size in SIZES for accumulate in (1, 3)]
    for figure in ("train", "total"):
        found = [getattr(epoch, figure) for epoch in still]
        np.testing.assert_allclose(found, found[-1], rtol=ROUNDING)
    assert still[0].total == pytest.approx(still[0].train * len(data))
    moved = [run(size, 12, 0.1).params for size in SIZES]
    for params in moved:
        np.testing.assert_allclose(params, moved[-1], rtol=0, atol=ROUNDING)


PIECES = """
cell Piece[N, H](x: [N], target: [H]) -> (y: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state y : [H] = 0

    y = tanh(W @ x + U @ y[t-1])
    loss squared_error(y, target)
    loss l1(U)
}
"""


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_chunks_within_a_call_weigh_lines_as_one_piece(chunk: int) -> None:
    data = ragged()
    data = replace(data, inputs={n: data.inputs[n] for n in ("x", "target")}, clocks={"x": "t", "target": "t"})
    whole = rc.parse(PIECES).compile(N=2, H=3, dtype="float64", backend="numpy")
    net = rc.parse(PIECES).compile(N=2, H=3, dtype="float64", backend="numpy", checkpoint=chunk)
    params = whole.init(0)
    for size in SIZES:
        parts = cut(data, size)
        assert evaluate(net, params, parts) == pytest.approx(evaluate(whole, params, cut(data, 99)), rel=ROUNDING)
        np.testing.assert_allclose(
            gradient(net, params, parts), gradient(whole, params, cut(data, 99)), rtol=0, atol=ROUNDING
        )
    weights = {"steps:t": 2.0, "once": 0.25}
    part = joined(data, np.float64)
    found, wanted = (
        m.losses_and_gradients(params, part.inputs, weights=weights, lengths=part.lengths) for m in (net, whole)
    )
    assert found[0] == pytest.approx(wanted[0], rel=ROUNDING)
    np.testing.assert_allclose(found[1].params, wanted[1].params, rtol=0, atol=ROUNDING)


class OneOf(Processes):
    """One of several processes whose sums the test takes itself."""

    def sum(self, *arrays: Any) -> None:
        """Leaves the shares as they are."""


@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_accumulate_the_gradient_of_one(count: int) -> None:
    net, data = model(tuple(LINES)), ragged()
    params, parts = net.init(0), cut(data, 5)
    shares = [gradient(Shared(net, OneOf(rank, count)), params, parts) for rank in range(count)]
    np.testing.assert_allclose(np.sum(shares, axis=0), gradient(net, params, cut(data, 99)), rtol=0, atol=ROUNDING)


# -------------------------------------------------------------------------------------------------- from call to call

TEXT = """
cell Text[V](x: index[V], target: index[V]) -> (logits: [V]) {
    param E, U : [V, V] ~ normal(0, 0.5)

    state h : [V] ~ zeros

    h      = tanh(embed(E, x) + U @ h[t-1])
    logits = h
    loss cross_entropy(logits, target)
    loss l2(last(h))
    loss 0.1 * l2(E)
}
"""


@pytest.mark.parametrize("chunk", [1, 2, 4, 7, 24, 25])
@pytest.mark.parametrize("count", [100, 101, 103])
def test_pieces_that_go_on_give_the_loss_of_the_whole(chunk: int, count: int) -> None:
    """What counts for a sequence counts where it ends; streams may differ by a step."""
    net = rc.parse(TEXT).compile(V=5, dtype="float64", backend="numpy")
    params, symbols = net.init(0), np.random.default_rng(0).integers(0, 5, count)
    whole = evaluate(net, params, Streams(symbols, 4, 99))
    assert evaluate(net, params, Streams(symbols, 4, chunk)) == pytest.approx(whole, rel=ROUNDING)
    task = Task("text", lambda epoch, rng: Streams(symbols, 4, chunk), 1)
    (epoch,) = train(net, task, Options(Sgd(1e-300), epochs=1), params=params).epochs
    assert epoch.train == pytest.approx(whole, rel=ROUNDING)
    assert epoch.total == pytest.approx(4 * whole, rel=ROUNDING)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("loss l2(first(h))", "line 11 of <text> needs the whole sequence: loss l2(first(h))"),
        ("loss l2(mean_over_time(h))", "needs the whole sequence"),
        ("loss l2(h - last(h))", "needs the whole sequence"),
        ("loss l2(reverse(h))", "needs the whole sequence"),
        ("loss l2(x1[t+1] - h)\n    x1 = 2 * h", "reads later steps"),
    ],
)
def test_a_loss_that_pieces_do_not_add_up_to_is_refused(line: str, words: str) -> None:
    net = rc.parse(TEXT.replace("loss 0.1 * l2(E)", line)).compile(V=5, dtype="float64", backend="numpy")
    symbols = np.random.default_rng(0).integers(0, 5, 40)
    evaluate(net, net.init(0), Streams(symbols, 4, 99))
    with pytest.raises(UsageError, match=r"these sequences are read in pieces .*Text can't be") as caught:
        evaluate(net, net.init(0), Streams(symbols, 4, 3))
    assert words in str(caught.value)


def test_a_sequence_that_ends_before_the_others_is_refused_where_its_end_counts() -> None:
    net = rc.parse(TEXT).compile(V=5, dtype="float64", backend="numpy")
    inputs = {"x": np.zeros((2, 2), np.int64), "target": np.zeros((2, 2), np.int64)}
    pieces = [Batch(inputs), Batch(inputs, np.array([2, 0]), fresh=False)]
    with pytest.raises(UsageError, match="sequence 1 has no step in the last of the batches that go on with it"):
        evaluate(net, net.init(0), pieces)


# -------------------------------------------------------------------------------------------------------- every task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data.write(tmp_path_factory.mktemp("data"))


OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "addition": {"length": 20},
    "multiplication": {"length": 20},
    "xor": {"length": 40},
    "temporal-order": {"length": 20},
    "random-permutation": {"length": 6, "symbols": 5},
    "memorisation-5-bits": {"length": 3, "held": 0},
    "memorisation-20-bits": {"length": 3},
    "mnist": {"by": "row", "pool": 4, "held": 7},
    "shakespeare": {"chunk": 20},
    "programs": {"length": 2, "nesting": 2},
    "xml": {"longest": 3, "most": 3},
    "arithmetic": {"digits": 2, "distractors": 1},
}
JUDGED = 11


def built(name: str, folder: Path, size: int) -> Task:
    """A task with few sequences to judge by."""
    kind = TASKS[name]
    held = {"held": JUDGED} if any(option.name == "held" for option in kind.options) else {}
    data = folder / "my.txt" if name == "text" else folder
    return kind.build(Settings(data, size, dtype="float64"), **{**held, **OPTIONS.get(name, {})})


def network(task: Task) -> Any:
    """A model that reads all inputs of a task, answers it, and has loss lines of every kind."""
    ports = task.inputs
    shown = {n: f"index[{p.index}]" if p.index else str(list(p.shape)) for n, p in ports.items()}
    over = {n: f" over {p.clock}" if len({q.clock for q in ports.values()}) > 1 else "" for n, p in ports.items()}
    right = task.measure.reads if task.measure else next(n for n, p in ports.items() if p.clock == "t")
    port = ports[right]
    size = port.index or port.shape[0]
    reads = {n: f"embed(E_{n}, {n})" if p.index else f"E_{n} @ {n}" for n, p in ports.items()}
    params = {n: f"[{p.index}, 2]" if p.index else f"[2, {p.shape[0]}]" for n, p in ports.items()}
    same = [n for n, p in ports.items() if p.clock == port.clock and n != "target"]
    lines = "\n".join(f"loss l2({reads[n]})" for n, p in ports.items() if p.clock != port.clock)
    own = f"cross_entropy(logits, {right})" if port.index else f"squared_error(logits, {right})"
    ends = "" if task.name in TEXTS else "loss sum(last(logits)) * l2(first(logits))\n    loss l2(mean_over_time(h))"
    return rc.parse(f"""
    cell Any({", ".join(f"{n}: {shown[n]}{over[n]}" for n in ports)}) -> (logits: [{size}]{over[right]}) {{
        {chr(10).join(f"param E_{n} : {params[n]} ~ normal(0, 0.5)" for n in ports)}
        param U : [2, 2] ~ orthogonal
        param O : [{size}, 2] ~ normal(0, 1)
        state h : [2] = 0
        h      = tanh({" + ".join(reads[n] for n in same)} + U @ h[t-1])
        logits = O @ h
        loss {own}
        loss l2(last(h))
        loss 0.1 * l2(O)
        {ends}
        {lines}
    }}
    """).compile(dtype="float64", backend="numpy")


TEXTS = ("shakespeare", "wikipedia", "ptb", "text")


def judged(task: Task, net: Any, params: Any, sizes: tuple[Any, ...] = ("valid", "test")) -> dict[str, Any]:
    """All figures by which a run is judged."""
    out: dict[str, Any] = {part: evaluate(net, params, getattr(task, part)()) for part in sizes}
    if task.measure is not None and task.measure.fits(net):
        found = task.measure.judged(task.measure.sums(net, params, task.test()))
        out |= {"measured": list(found.values), "count": found.count}
    return out


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_judged_alike_whatever_the_batches(name: str, folder: Path) -> None:
    """The same sequences by the same losses and measures; and updates of all of them have one gradient."""
    tasks = [built(name, folder, size) for size in (1, 2, 3, 64)]
    net = network(tasks[0])
    params = net.init(0)
    fits = [fitted(task, net) for task in tasks]
    found = [judged(task, net, params) for task in fits]
    if name == "readme-sample":
        assert found[0] == {"valid": None, "test": None}
        return
    assert found[0]["valid"] is not None
    assert ("measured" in found[0]) == (tasks[0].measure is not None)
    for other in found[1:]:
        assert other == {key: pytest.approx(value, rel=ROUNDING) for key, value in found[0].items()}
    if name not in TEXTS:
        gradients = [gradient(net, params, list(task.valid())) for task in fits]
        for other in gradients[1:]:
            np.testing.assert_allclose(other, gradients[0], rtol=0, atol=ROUNDING * abs(gradients[0]).max())


@pytest.mark.parametrize("name", ["addition", "temporal-order", "arithmetic", "programs", "jsb"])
def test_several_processes_measure_as_one(name: str, folder: Path) -> None:
    task = built(name, folder, 4)
    net = network(task)
    task, params = fitted(task, net), net.init(0)
    if task.measure is None:
        return
    whole = task.measure.sums(net, params, task.test())
    shares = [Shared(net, OneOf(rank, 3)).judged for rank in range(3)]
    parts = [share(task.measure, params, task.test()) for share in shares]
    assert sum(part.count for part in parts) == whole[0, 1]
    total = sum(part.count * part.value for part in parts)
    assert total == pytest.approx(whole[0, 0], rel=ROUNDING)


def test_sequences_of_your_own_are_judged_alike(tmp_path: Path) -> None:
    """Also where they are read without being fitted to a model."""
    data = ragged(23)
    net = model(tuple(LINES))
    params = net.init(0)
    arrays = {name: np.zeros((23, 9, own[0].shape[1])) for name, own in data.inputs.items()}
    for name, own in data.inputs.items():
        for row, sequence in zip(arrays[name], own, strict=True):
            row[: len(sequence)] = sequence
    lengths = {"lengths": data.lengths("t"), "lengths_s": data.lengths("s")}
    np.savez(tmp_path / "my.npz", **arrays, **lengths)
    tasks = [own_task(Settings(tmp_path / "my.npz", size, dtype="float64"), net) for size in SIZES]
    found = [judged(task, net, params) for task in tasks]
    for other in found[1:]:
        assert other == {key: pytest.approx(value, rel=ROUNDING) for key, value in found[0].items()}
