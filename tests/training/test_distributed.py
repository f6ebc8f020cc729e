"""Several processes on one machine end where one with all the data ends: `recurrency train`, and PyTorch's wrappers.

Processes talk over the loopback interface and have one thread each.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.passes.loss_lines import lines
from recurrency.training.loop.loop import INTERRUPTED, Options, train
from recurrency.training.loop.processes import ALONE, NEEDED, Processes, joined
from recurrency.training.loop.sharing import Shared
from recurrency.training.tasks import Settings, from_sequences
from tests.support import small_data

torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "replace_lstm.py"
PATIENCE = 120
"""Seconds after which a run counts as hanging."""

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
RAGGED = """
cell Ragged[N, H](x: [N]) -> (y: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state y : [H] = 0

    y = tanh(W @ x + U @ y[t-1])

    loss dot(y, y) - sum(x)
    loss sum(last(y))
    loss 0.1 * l2(W)
}
"""
CLOSE = 1e-13
"""For sums of a few dozen numbers of about 1 in float64, in another order, over a few steps."""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NEEDED}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


def torchrun(*words: str, folder: Path) -> str:
    """What a run of two processes says on standard output."""
    runner = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*runner, *words], cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def both(*words: str, folder: Path) -> list[tuple[int, str, str]]:
    """Two processes as `torchrun` starts them, but without what it does when one fails: exit codes, what they say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **where),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=PATIENCE) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *words) for process, words in zip(started, said, strict=True)]


# ---------------------------------------------------------------------------------------------- shares of a batch


class Silent(Processes):
    """One of several processes whose sums the test takes itself."""

    def sum(self, *arrays: Any) -> None:
        """Leaves the shares as they are."""


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


# ---------------------------------------------------------------------------------------------- recurrency train


def prepared(folder: Path) -> list[str]:
    """A task with sequences of unequal length, and the words of the command but for batch and output."""
    rng = np.random.default_rng(0)
    (folder / "ragged.rnn").write_text(RAGGED, encoding="utf-8")
    np.savez(folder / "ragged.npz", x=rng.normal(size=(17, 6, 2)), lengths=rng.integers(1, 7, 17))
    words = "train ragged.rnn --data ragged.npz -D N=2 -D H=3 --dtype float64 --epochs 2 --optimiser sgd --rate 0.1"
    return [*words.split(), "--clip", "0.5", "--log-form", "lines"]


def test_two_processes_end_with_the_parameters_of_one_with_twice_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from recurrency.cli.train import train as command

    words = prepared(tmp_path)
    monkeypatch.chdir(tmp_path)
    alone = CliRunner().invoke(command, [*words[1:], "--batch", "6", "--output", "one.safetensors"])
    assert alone.exit_code == 0, alone.output
    said = torchrun(
        "-m", "recurrency", *words, "--backend", "torch", "--batch", "3", "--output", "two.safetensors", folder=tmp_path
    )
    one, two = load_file("one.safetensors"), load_file("two.safetensors")
    assert set(one) == {"W", "U"}
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=CLOSE)
    assert [line.split("|g|")[0] for line in said.splitlines()[:2]] == [
        line.split("|g|")[0] for line in alone.output.splitlines()[:2]
    ], "only the first process reports, and the losses are those of the whole batch"


def documented() -> list[str]:
    """The lines of the pages and of the help that train under `torchrun`."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    return sorted({line.strip() for text in texts for line in text.splitlines() if "torchrun --nproc" in line})


def test_torchrun_takes_no_option_of_the_command_for_its_own() -> None:
    """But for one, which has a second name."""
    from torch.distributed.run import get_args_parser

    from recurrency.cli.train import train as command

    def kept(name: str) -> bool:
        words = ["train", "jsb", name, "value"]
        try:
            return bool(get_args_parser().parse_args(["-m", "recurrency", *words]).training_script_args == words)
        except SystemExit:
            return False

    named = [option for option in command.params if option.param_type_name == "option"]
    lost = {name for option in named for name in option.opts if not kept(name)}
    assert lost == {"--run"}
    assert all(any(name not in lost for name in option.opts) for option in named)
    lines = documented()
    assert any("-m recurrency train" in line for line in lines)
    for words in (line.split() for line in lines):
        found = get_args_parser().parse_args(words[1:])
        assert words[words.index(found.training_script) + 1 :] == found.training_script_args


def test_the_documented_line_trains_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (line for line in documented() if "train jsb" in line)
    words = line.split()[1:]
    monkeypatch.setenv("RECURRENCY_DATA", str(small_data.write(tmp_path)))
    runner = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words, "--epochs", "1", "-D", "H=3"]
    done = subprocess.run(
        runner, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "test " in done.stdout
    assert (tmp_path / "runs" / "jsb" / "best.safetensors").exists()


@pytest.mark.long
def test_two_processes_measure_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from recurrency.cli.train import train as command

    words = "first-element -D Cell=Elman -D H=3 --length 4 --epochs 2 --dtype float64 -T steps=3 -T held=50".split()
    monkeypatch.chdir(tmp_path)
    alone = CliRunner().invoke(command, [*words, "--batch", "6", "--log-form", "lines"])
    assert alone.exit_code == 0, alone.output
    both = torchrun("-m", "recurrency", "train", *words, "--batch", "3", "--log-form", "lines", folder=tmp_path)
    said = [text.strip().splitlines()[-1].partition(" (all epochs")[0] for text in (alone.output, both)]
    assert said[0] == said[1]
    assert "wrong" in said[0]
    assert said[0].endswith("of 1000 sequences or more; these are 50)")


FAILING = """
import os
from recurrency import errors, model
from recurrency.cli import main

if os.environ["RANK"] == "1":
    calls, whole = iter(range(1)), model.Model.losses_and_gradients

    def failing(self, *args, **rest):
        if next(calls, None) is None:
            raise errors.UsageError("the disk is full")
        return whole(self, *args, **rest)

    model.Model.losses_and_gradients = failing
main()
"""


def test_a_process_that_fails_ends_all_with_a_message(tmp_path: Path) -> None:
    words = prepared(tmp_path)
    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    ends = both("failing.py", *words, "--output", "w.safetensors", folder=tmp_path)
    assert [code for code, _, _ in ends] == [1, 1]
    assert "error: process 0 of 2: another process has ended or can't be reached" in ends[0][2]
    assert "error: process 1 of 2: the disk is full" in ends[1][2]
    assert not any("Traceback" in said for _, _, said in ends)
    assert not (tmp_path / "w.safetensors").exists()


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


# ------------------------------------------------------------------------------------------------- the example


def test_the_example_replaces_an_lstm_and_trains_on_in_two_processes(tmp_path: Path) -> None:
    said = torchrun(str(EXAMPLE), "--steps", "5", "--units", "4", folder=tmp_path)
    assert "the same outputs" in said
    assert "2 processes have the same weights" in said


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler (g++)")
def test_the_example_trains_on_under_torch_compile(tmp_path: Path) -> None:
    words = [sys.executable, str(EXAMPLE), "--steps", "5", "--units", "4", "--compile"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the equations:" in done.stdout
