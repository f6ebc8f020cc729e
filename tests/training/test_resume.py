"""A run that goes on from any of its snapshots ends with the same bits, and no file is ever lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.loop import DivergedError, History, Options, Silent, train
from recurrency.training.loop.optimisers import OPTIMISERS, Adam, Sgd, optimiser, options_of
from recurrency.training.loop.schedules import Cosine
from recurrency.training.loop.snapshots import FORMAT, Snapshot, read, write
from recurrency.training.tasks import Task

CELL = """
cell Noisy[H](x: [2], target: [H]) -> (y: [H]) {
    param W : [H, 2] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state y : [H] = 0

    y = tanh(W @ dropout(x, 0.3) + U @ y[t-1])
    loss squared_error(y, target)
}
"""
H, BATCH = 3, 2


@pytest.fixture(scope="module")
def model() -> Any:
    return rc.parse(CELL).compile(dtype="float32", H=H)


def stream(rng: np.random.Generator, steps: int = 7) -> Iterator[Batch]:
    """Batches of which every third starts anew."""
    for number in range(steps):
        inputs = {"x": rng.standard_normal((4, BATCH, 2)), "target": rng.standard_normal((4, BATCH, H))}
        yield Batch({k: v.astype("float32") for k, v in inputs.items()}, fresh=number % 3 == 0)


def task() -> Task:
    fixed = list(stream(np.random.default_rng(5), 3))
    return Task("noisy", lambda epoch, rng: stream(rng), 7, lambda: fixed, lambda: fixed)


OPTIONS = Options(
    Adam(0.02), epochs=3, clip=1.0, shrink=0.7, schedule=Cosine(warmup=0.5), weight_noise=0.05, l2=1e-3, seed=4
)


def saved(model: Any, options: Options, folder: Path) -> tuple[History, list[Path]]:
    """A run, and the file of a snapshot after each of its updates and epochs."""
    files: list[Path] = []

    def save(snapshot: Callable[[], Snapshot], needed: bool) -> None:
        files.append(folder / f"{len(files)}.safetensors")
        write(files[-1], snapshot(), {})

    return train(model, task(), options, save=save), files


def same(one: History, other: History) -> None:
    np.testing.assert_array_equal(one.params, other.params)
    facts = [[(e.number, e.steps, e.train, e.total, e.valid, e.norm, e.rate) for e in h.epochs] for h in (one, other)]
    assert facts[0] == facts[1]
    assert (one.best_epoch, one.best_valid, one.test, one.stopped) == (
        other.best_epoch,
        other.best_valid,
        other.test,
        other.stopped,
    )


def test_training_that_goes_on_from_any_snapshot_ends_with_the_same_bits(model: Any, tmp_path: Path) -> None:
    whole, files = saved(model, OPTIONS, tmp_path)
    assert len(files) == 3 * 7 + 3
    for file in files:
        same(train(model, task(), OPTIONS, resume=read(file)), whole)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_is_remembered_whole(model: Any, tmp_path: Path, name: str) -> None:
    rate = {"rate": 0.01} if "rate" in options_of(optimiser(name)) else {}
    options = Options(optimiser(name, **rate), epochs=1, accumulate=2)
    whole, files = saved(model, options, tmp_path)
    same(train(model, task(), options, resume=read(files[1])), whole)


def test_a_rate_that_was_shrunk_is_the_rate_that_goes_on(model: Any, tmp_path: Path) -> None:
    options = Options(Sgd(0.5), epochs=5, shrink=0.5, seed=4)
    whole, files = saved(model, options, tmp_path)
    assert len({epoch.rate for epoch in whole.epochs}) > 1
    same(train(model, task(), options, resume=read(files[-4])), whole)


def test_a_rate_that_was_halved_is_the_rate_that_goes_on(model: Any, tmp_path: Path) -> None:
    norms = [epoch.norm for epoch in train(model, task(), Options(Sgd(0.1), epochs=2, seed=4)).epochs]
    options = Options(Sgd(0.1), epochs=2, halve_above=min(norms) / 10, seed=4)
    whole, files = saved(model, options, tmp_path)
    assert [epoch.rate for epoch in whole.epochs] == [0.05, 0.025]
    for file in files[5:9]:
        same(train(model, task(), options, resume=read(file)), whole)


def test_a_run_that_had_ended_early_does_not_go_on(model: Any, tmp_path: Path) -> None:
    options = Options(Sgd(0.5), epochs=50, patience=2, seed=4)
    whole, files = saved(model, options, tmp_path)
    assert len(whole.epochs) < 50
    same(train(model, task(), options, resume=read(files[-1])), whole)


def test_an_interrupt_saves_between_two_updates_and_ends(model: Any, tmp_path: Path) -> None:
    import os
    import signal

    class Impatient(Silent):
        def step(self, epoch: int, step: int, loss: float, facts: Any) -> None:
            if step == 9:
                os.kill(os.getpid(), signal.SIGTERM)

    kept: list[Snapshot] = []

    def save(snapshot: Callable[[], Snapshot], needed: bool) -> None:
        if needed:
            kept.append(snapshot())

    history = train(model, task(), OPTIONS, Impatient(), save=save)
    assert history.stopped == "interrupted"
    assert [snapshot.step for snapshot in kept] == [9]
    same(train(model, task(), OPTIONS, resume=kept[0]), train(model, task(), OPTIONS))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


# ------------------------------------------------------------------------------------------------------------ files


@pytest.fixture
def file(model: Any, tmp_path: Path) -> Path:
    _, files = saved(model, Options(epochs=1), tmp_path)
    return files[3]


@pytest.mark.parametrize("part", [0, 5, 100, -1])
def test_a_truncated_checkpoint_is_told_from_a_whole_one(file: Path, part: int) -> None:
    file.write_bytes(file.read_bytes()[:part])
    with pytest.raises(UsageError, match="cannot read the checkpoint"):
        read(file)


def test_a_checkpoint_that_was_changed_is_told_from_one_that_was_not(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with pytest.raises(UsageError, match="changed after it was written"):
        read(file)


def test_a_checkpoint_of_another_version_is_refused(file: Path) -> None:
    with safe_open(file, "np") as old:
        metadata, arrays = old.metadata(), {name: old.get_tensor(name) for name in old.keys()}  # noqa: SIM118
    file.write_bytes(save(arrays, metadata={**metadata, "format": FORMAT}))
    assert read(file).step == 4
    file.write_bytes(save(arrays, metadata={**metadata, "format": FORMAT + "0"}))
    with pytest.raises(UsageError, match="no checkpoint of this version"):
        read(file)


def test_a_checkpoint_of_another_model_is_refused(file: Path) -> None:
    other = rc.parse(CELL).compile(dtype="float32", H=H + 1)
    with pytest.raises(UsageError, match="another model"):
        train(other, task(), Options(epochs=1), resume=read(file))


# ---------------------------------------------------------------------------------------------- numbers that go bad

EXPLODING = """
cell Exploding[H](x: [1]) -> (y: [H]) {
    param U : [H, H] ~ identity
    param w : [H]    ~ ones

    state y : [H] = 1

    big = 1e10 * (U @ y[t-1])
    y = big + w * sum(x)
    loss sum(y)
}
"""


def test_the_step_the_stream_and_the_parameter_are_named_where_a_number_goes_bad() -> None:
    model = rc.parse(EXPLODING).compile(dtype="float32", H=2)
    x = np.ones((6, 2, 1), "float32")
    batches = [Batch({"x": x[:2]}), Batch({"x": x})]
    with pytest.raises(DivergedError) as caught:
        train(model, Task("growing", lambda epoch, rng: iter(batches), 2), Options(Sgd(1e-30), epochs=1))
    told = str(caught.value)
    assert "the loss is nan at step 2 (epoch 0)" in told
    assert "first in the stream big, which is inf at step 3, sequence 0, element 0" in told
    assert "the gradient of U, w is not finite" in told


def test_an_input_that_is_no_number_is_named(model: Any) -> None:
    bad = next(stream(np.random.default_rng(0)))
    bad.inputs["x"][2, 1, 0] = np.inf
    with pytest.raises(DivergedError, match="the input x is inf at step 2, sequence 1, element 0"):
        train(model, Task("bad", lambda epoch, rng: iter([bad]), 1), Options(epochs=1))


def test_parameters_that_are_no_numbers_are_named(model: Any) -> None:
    start = model.init(0)
    model.views(start)["U"][1, 1] = np.inf
    with pytest.raises(DivergedError, match="the parameters U are not finite"):
        train(model, task(), Options(epochs=1), params=start)
