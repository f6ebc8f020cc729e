"""Asynchronous data-parallel training: `recurrency train --parallel asynchronous` under torchrun."""

from __future__ import annotations

import queue
import threading
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Sequences
from recurrency.training.loop.loop import History, Options, train
from recurrency.training.loop.optimisers import Momentum, Sgd
from recurrency.training.loop.processes import Processes
from recurrency.training.loop.progress import INTERRUPTED, Silent
from recurrency.training.loop.sharing import Shared
from recurrency.training.tasks import Settings, Task, from_sequences
from recurrency.training.tasks.task import truncated
from tests.support.processes import both, torchrun
from tests.training.test_torchrun import FAILING, prepared

pytest.importorskip("torch")

LINE = """
cell Line[N](x: [N]) -> (y: [N]) {
    param w : [N] ~ zeros
    y = w * x
    loss sum(y)
    loss sum(last(y))
}
"""
"""Its gradient does not depend on the parameters, so the order of the updates of plain descent has no effect."""
BATCH, RATE = 3, 0.25


class Wired(Processes):
    """One of several processes that are threads of the test."""

    wires: dict[tuple[int, int], queue.Queue[Any]]
    table: list[Any]
    barrier: threading.Barrier

    def sum(self, *arrays: Any) -> None:
        """Replace each array by the sum over all threads."""
        for array in arrays:
            self.table[self.rank] = array.copy()
            self.barrier.wait(60)
            total = sum(self.table)
            self.barrier.wait(60)
            array[...] = total

    def send(self, array: Any, rank: int) -> None:
        """Put a copy on the wire to another thread."""
        self.wires[self.rank, rank].put(array.copy())

    def receive(self, array: Any, rank: int) -> None:
        """Take what is on the wire from another thread."""
        array[...] = self.wires[rank, self.rank].get(timeout=60)


def together(count: int, task: Task, options: Options, reports: Any = None) -> list[History]:
    """The histories of so many processes."""
    net = rc.parse(LINE).compile(N=2, dtype="float64", backend="numpy")
    wires: dict[Any, Any] = {(a, b): queue.Queue() for a in range(count) for b in range(count)}
    table, barrier, ends = [None] * count, threading.Barrier(count), [None] * count

    def run(rank: int) -> None:
        own = Wired(rank, count)
        own.wires, own.table, own.barrier = wires, table, barrier
        report = None if reports is None else reports(own)
        ends[rank] = train(Shared(net, own, asynchronous=True), task, options, report)

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert None not in ends
    return ends


def data(judged: bool = True) -> Task:
    rng = np.random.default_rng(0)
    train_, valid = (
        Sequences({"x": [rng.standard_normal((n, 2)) for n in rng.integers(1, 9, count)]}, {"x": "t"})
        for count in (31, 5)
    )
    splits = {"train": train_, "valid": valid, "test": valid} if judged else {"train": train_}
    return from_sequences("line", splits, Settings(batch=2 * BATCH))


def expected(task: Task, count: int, epochs: int) -> tuple[Any, int]:
    """The sum of the gradients of the shares of all processes, and their number."""
    net = rc.parse(LINE).compile(N=2, dtype="float64", backend="numpy")
    rng = np.random.default_rng([0, 0])
    total, number = np.zeros(net.size), 0
    for epoch in range(epochs):
        for batch in task.train(epoch, rng):
            for rank in range(count):
                own = batch.part(slice(rank, None, count))
                if own.size:
                    total += net.loss_and_gradients(np.zeros(2), own.inputs, lengths=own.lengths)[1].params
                    number += 1
    return total, number


@pytest.mark.parametrize("count", [2, 3])
def test_each_gradient_of_each_process_is_one_update(count: int) -> None:
    task = data(judged=False)
    ends = together(count, task, Options(Sgd(RATE), epochs=2))
    total, number = expected(task, count, 2)
    np.testing.assert_allclose(ends[0].params, -RATE * total, rtol=1e-12)
    assert sum(epoch.steps for epoch in ends[0].epochs) == number


def test_processes_agree_on_losses_parameters_and_the_best_epoch() -> None:
    first, second = together(2, data(), Options(Sgd(RATE), epochs=3, patience=1))
    np.testing.assert_array_equal(first.params, second.params)
    assert [(e.steps, e.train, e.valid, e.norm) for e in first.epochs] == [
        (e.steps, e.train, e.valid, e.norm) for e in second.epochs
    ]
    assert (first.test, first.best_epoch, first.stopped) == (second.test, second.best_epoch, second.stopped)
    assert first.test is not None


def test_losses_of_an_epoch_are_those_of_all_processes() -> None:
    """With a rate so small that the parameters stay zero, all losses are 0 and all sequences are counted."""
    task = data()
    alone = train(rc.parse(LINE).compile(N=2, dtype="float64"), task, Options(Sgd(1e-300), epochs=1))
    (epoch,) = together(2, task, Options(Sgd(1e-300), epochs=1))[0].epochs
    assert epoch.train == pytest.approx(alone.epochs[0].train, abs=1e-250)
    moved = together(2, task, Options(Sgd(RATE), epochs=2, patience=None))[0].epochs[1]
    assert moved.total == pytest.approx(31 * moved.train)
    assert moved.norm > 0


def test_the_first_process_has_the_state_of_the_optimiser() -> None:
    """With momentum, the velocity is one sum over all gradients, so that the last updates are the largest."""
    task = data()
    still = together(2, task, Options(Sgd(RATE), epochs=1))[0].params
    fast = together(2, task, Options(Momentum(RATE, momentum=0.9), epochs=1))[0].params
    assert (abs(fast) > 2 * abs(still)).all()


def test_pieces_of_sequences_are_learned_from_with_the_states_of_their_process() -> None:
    task = truncated(data(), 4)
    ends = together(2, task, Options(Sgd(RATE), epochs=1))
    np.testing.assert_array_equal(ends[0].params, ends[1].params)
    assert ends[0].epochs[0].steps > len(list(data().train(0, np.random.default_rng(0))))


def test_an_option_that_needs_the_whole_gradient_is_refused() -> None:
    net = Shared(rc.parse(LINE).compile(N=2, dtype="float64"), Wired(0, 2), asynchronous=True)
    with pytest.raises(UsageError, match="--halve-above needs the gradient of the whole batch"):
        train(net, data(), Options(Sgd(RATE), halve_above=1.0))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_request_to_stop_ends_all_of_them(rank: int) -> None:
    class Stopping(Silent):
        def __init__(self, own: Processes) -> None:
            self.own = own

        def step(self, epoch: int, step: int, loss: float, *more: object) -> None:
            if self.own.rank == rank and epoch == 1:
                self.own.interrupted = True

    ends = together(2, data(), Options(Sgd(RATE), epochs=9, patience=None), Stopping)
    assert [end.stopped for end in ends] == [INTERRUPTED] * 2
    assert [len(end.epochs) for end in ends] == [1, 1]
    np.testing.assert_array_equal(ends[0].params, ends[1].params)


# ----------------------------------------------------------------------------------------------------- by torchrun


def test_two_processes_train_asynchronously_in_a_run_folder(tmp_path: Path) -> None:
    words = [*prepared(tmp_path), "--batch", "3", "--parallel", "asynchronous", "--folder", "run"]
    said = torchrun("-m", "recurrency", *words, folder=tmp_path)
    assert "test " in said
    losses = [float(line.split("train")[1].split()[0]) for line in said.splitlines() if line.startswith("epoch")]
    assert losses[1] < losses[0]
    kept = tomllib.loads((tmp_path / "run" / "run.toml").read_text(encoding="utf-8"))
    assert kept["training"]["parallel"] == "asynchronous"
    assert set(load_file(tmp_path / "run" / "best.safetensors")) == {"W", "U"}


@pytest.mark.long
@pytest.mark.parametrize("failing", ["0", "1"])
def test_a_process_that_fails_ends_the_other(failing: str, tmp_path: Path) -> None:
    words = [*prepared(tmp_path), "--parallel", "asynchronous"]
    (tmp_path / "failing.py").write_text(FAILING.replace('== "1"', f'== "{failing}"'), encoding="utf-8")
    ends = both("failing.py", *words, "--output", "w.safetensors", folder=tmp_path)
    broken, other = int(failing), 1 - int(failing)
    assert [code for code, _, _ in ends] == [1, 1]
    assert f"error: process {broken} of 2: the disk is full" in ends[broken][2]
    assert f"error: process {other} of 2: another process has ended or can't be reached" in ends[other][2]
    assert not any("Traceback" in said for _, _, said in ends)
    assert not (tmp_path / "w.safetensors").exists()
