"""Truncated back-propagation: sequences in pieces that continue one another, with carried states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import recurrency as rc
from recurrency.cli.train import train as command
from recurrency.errors import UsageError
from recurrency.training.data import Batch, Sequences
from recurrency.training.data.pieces import count, pieces
from recurrency.training.data.sequences import joined
from recurrency.training.loop.loop import Options, evaluate, train
from recurrency.training.loop.optimisers import Sgd
from recurrency.training.loop.processes import Processes
from recurrency.training.loop.sharing import Shared
from recurrency.training.loop.updates import Learner
from recurrency.training.loop.weighing import with_next
from recurrency.training.tasks import Settings, Task, from_sequences
from recurrency.training.tasks.task import truncated

CELL = """
cell Piece[N, H](x: [N], target: [H]) -> (y: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state y : [H] ~ normal(0, 1)

    y = tanh(W @ x + U @ y[t-1])
    loss squared_error(y, target)
    loss l2(last(y))
    loss 0.1 * l2(U)
}
"""
CLOSE: dict[str, float] = {"rtol": 0, "atol": 1e-12}
LENGTHS = [9, 1, 8, 2, 5, 9, 3]


def ragged(lengths: list[int] = LENGTHS) -> Sequences:
    rng = np.random.default_rng(len(lengths))
    inputs = {name: [rng.standard_normal((n, size)) for n in lengths] for name, size in (("x", 2), ("target", 3))}
    return Sequences(inputs, dict.fromkeys(inputs, "t"))


def model(text: str = CELL, backend: str = "numpy") -> Any:
    return rc.parse(text).compile(N=2, H=3, dtype="float64", backend=backend)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8, 9, 20])
def test_pieces_are_the_sequences_cut_evenly_and_end_together(steps: int) -> None:
    data = ragged()
    whole = joined(data, np.float64)
    found = list(pieces(whole, steps))
    assert len(found) == count(whole, steps) == -(-9 // steps)
    assert [piece.fresh for piece in found] == [True] + [False] * (len(found) - 1)
    lengths = np.array([piece.steps("x") for piece in found])
    assert lengths.sum(0).tolist() == LENGTHS
    assert lengths.max() <= steps
    assert (lengths[-1] > 0).all()
    assert (lengths.max(0) - lengths.min(0) <= 1).all(), "even"
    for number, rows in enumerate(data.inputs["x"]):
        parts = [piece.inputs["x"][:n, number] for piece, n in zip(found, lengths[:, number], strict=True)]
        np.testing.assert_array_equal(np.concatenate(parts), rows)
    for piece in found:
        padding = np.arange(len(piece.inputs["x"]))[:, None] >= piece.steps("x")
        assert not piece.inputs["x"][padding].any()


def test_what_continues_is_cut_into_what_continues() -> None:
    batch = Batch({"x": np.zeros((6, 2, 1))}, fresh=False)
    assert [piece.fresh for piece in pieces(batch, 2)] == [False] * 3
    assert all(piece.lengths is None for piece in pieces(batch, 2))
    assert list(pieces(batch, 6)) == [batch]


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_carried_states_give_the_losses_of_one_long_pass(backend: str, steps: int) -> None:
    """Of whole sequences of unequal length, some with no step in the first pieces."""
    net, whole = model(backend=backend), joined(ragged(), np.float64)
    params = net.init(0)
    wanted = net.forward(params, whole.inputs, lengths=whole.lengths)
    state: Any = None
    for piece in pieces(whole, steps):
        run = net.forward(params, piece.inputs, lengths=piece.lengths, state=state)
        state = run.state
    np.testing.assert_allclose(state["y"], wanted.state["y"], **CLOSE)
    assert evaluate(net, params, pieces(whole, steps)) == pytest.approx(evaluate(net, params, [whole]), rel=1e-12)


def gradient(net: Any, params: Any, batches: list[Batch]) -> Any:
    """That of one update with these batches."""
    return Learner(net, Options()).gradient(params, list(with_next(batches)))[1]


@pytest.mark.parametrize("steps", [9, 100])
def test_pieces_that_hold_all_steps_have_the_whole_gradient(steps: int) -> None:
    def run(task: Task) -> Any:
        return train(model(), task, Options(Sgd(0.1), epochs=2, clip=1.0)).params

    task = from_sequences("whole", {"train": ragged()}, Settings(batch=3))
    np.testing.assert_array_equal(run(truncated(task, steps)), run(task))
    assert abs(run(truncated(task, 3)) - run(task)).max() > 1e-4, "shorter ones have another"


def test_gradients_stop_at_the_beginning_of_a_piece() -> None:
    """They are those of an equation in which each third step does not pass its gradient on."""
    text = CELL.replace("(x: [N], ", "(x: [N], stop: [H], ").replace(
        "U @ y[t-1]", "U @ where(stop > 0, stop_grad(y[t-1]), y[t-1])"
    )
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((9, 4, 2)), "target": rng.standard_normal((9, 4, 3))}
    stop = np.zeros((9, 4, 3))
    stop[::3] = 1
    stop[0] = 0
    net, other = model(), model(text)
    params = net.init(0)
    found = gradient(net, params, list(pieces(Batch(inputs), 3)))
    np.testing.assert_allclose(found, gradient(other, params, [Batch({**inputs, "stop": stop})]), **CLOSE)
    assert abs(found - gradient(net, params, [Batch(inputs)])).max() > 1e-3


def test_the_steps_of_a_task_are_its_pieces() -> None:
    task = truncated(from_sequences("counted", {"train": ragged()}, Settings(batch=3)), 4)
    assert task.steps == len(list(task.train(0, np.random.default_rng(0)))) == 1 + 3 + 3
    assert [batch.fresh for batch in task.train(0, np.random.default_rng(0))].count(True) == 3


class OneOf(Processes):
    """One of several processes whose sums the test takes itself."""

    def sum(self, *arrays: Any) -> None:
        """Leaves the shares as they are."""


def test_several_processes_share_pieces() -> None:
    net, whole = model(), joined(ragged(), np.float64)
    params, (first, *rest) = net.init(0), list(pieces(whole, 4))
    total, states = np.zeros_like(params), [{} for _ in range(3)]
    for batch in (first, *rest):
        found = [
            Shared(net, OneOf(rank, 3)).losses_and_gradients(
                params, batch.inputs, lengths=batch.lengths, state=None if batch.fresh else states[rank]
            )
            for rank in range(3)
        ]
        total += sum(own.params for _, own, _ in found)
        states = [state for _, _, state in found]
    alone = np.zeros_like(params)
    state: Any = None
    for batch in (first, *rest):
        _, own, state = net.losses_and_gradients(params, batch.inputs, lengths=batch.lengths, state=state)
        alone += own.params
    np.testing.assert_allclose(total, alone, **CLOSE)
    gradient(Shared(net, OneOf(0, 3)), params, [first])


def test_a_loss_that_needs_the_whole_sequence_is_refused_in_several_processes_too() -> None:
    net = model(CELL.replace("loss l2(last(y))", "loss l2(first(y))"))
    batches = list(pieces(joined(ragged(), np.float64), 4))
    for own in (net, Shared(net, OneOf(0, 2))):
        with pytest.raises(UsageError, match=r"read in pieces .* which Piece can't be: .*needs the whole sequence"):
            gradient(own, net.init(0), batches)


# ------------------------------------------------------------------------------------------------------- the command


def prepared(folder: Path, text: str = CELL) -> list[str]:
    data = joined(ragged([6] * 5 + [9] * 7), np.float64)
    arrays = {name: array.swapaxes(0, 1) for name, array in data.inputs.items()}
    np.savez(folder / "my.npz", **arrays, lengths=data.lengths)
    (folder / "my.rnn").write_text(text, encoding="utf-8")
    words = f"{folder / 'my.rnn'} --data {folder / 'my.npz'} -D N=2 -D H=3 --epochs 1 --batch 4 --log-form lines"
    return words.split()


def test_the_command_trains_in_pieces_and_keeps_that_in_the_run(tmp_path: Path) -> None:
    words = [*prepared(tmp_path), "--run", str(tmp_path / "run")]
    done = CliRunner().invoke(command, [*words, "--truncate", "4"])
    assert done.exit_code == 0, done.output
    assert "truncate = 4" in (tmp_path / "run" / "run.toml").read_text(encoding="utf-8")
    again = CliRunner().invoke(command, [*words, "--truncate", "5"])
    assert "training.truncate: 4 in the run, 5 now" in str(again.exception)
    resumed = CliRunner().invoke(command, [str(tmp_path / "run")])
    assert "every loss is the same as before, to the last bit" in resumed.output


def test_what_cannot_be_read_in_pieces_is_refused(tmp_path: Path) -> None:
    words = prepared(tmp_path, CELL.replace("loss l2(last(y))", "loss l2(first(y))"))
    assert "needs the whole sequence" in str(CliRunner().invoke(command, [*words, "--truncate", "4"]).exception)
    assert "--truncate" in CliRunner().invoke(command, [*words, "--truncate", "0"]).output
    translating = "EncoderDecoder --on programs -T steps=1 -D V=41 -D K=12 -D N=3 -D H=3 --truncate 4".split()
    said = str(CliRunner().invoke(command, translating).exception)
    assert "several clocks cannot be read in pieces; leave --truncate out" in said
