#!/usr/bin/env python
"""An ordinary training script in which two lines replaced `nn.LSTM`; its old weights are loaded, and it trains on.

    python replace_lstm.py
    python replace_lstm.py --compile
    torchrun --nproc-per-node 2 replace_lstm.py [--compile]

The task: the next value of sines of random frequencies. First the old model learns for a while and is saved, as it
would have been years ago; then the new one takes over.
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import distributed, nn

import recurrency as rc  # the first new line


class OldForecaster(nn.Module):
    """What was there before."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(1, units, batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, x):
        """The next value after each of x [B, T, 1]."""
        y, _ = self.rnn(x)
        return self.head(y)


class Forecaster(nn.Module):
    """The same with the cell of a page of equations, which can now be changed."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.rnn = rc.library.PlainLSTM.module(N=1, H=units, batch_first=True, state="tuple")  # the second
        self.head = nn.Linear(units, 1)

    def forward(self, x):
        """The next value after each of x [B, T, 1]."""
        y, _ = self.rnn(x)
        return self.head(y)


def sines(batch: int, steps: int, generator: torch.Generator) -> torch.Tensor:
    """Sines [B, T + 1, 1], each with its own frequency and phase."""
    frequency, phase = torch.rand(2, batch, 1, generator=generator)
    time = torch.arange(steps + 1.0)
    return torch.sin((0.1 + 0.4 * frequency) * time + 6.3 * phase)[:, :, None]


def learn(model: nn.Module, steps: int, seed: int) -> list[float]:
    """The losses of so many steps of training."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        data = sines(16, 20, generator)
        loss = nn.functional.mse_loss(model(data[:, :-1]), data[:, 1:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def loaded(path: Path, units: int) -> Forecaster:
    """The new model with the weights of the old one."""
    checkpoint = torch.load(path, weights_only=True)
    model = Forecaster(units)
    model.rnn.load_state_dict(rc.convert.from_torch(model.rnn, checkpoint, "lstm", prefix="rnn."))
    model.head.load_state_dict({name: checkpoint[f"head.{name}"] for name in ("weight", "bias")})
    return model


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    say = print if rank == 0 else lambda *words: None

    torch.manual_seed(0)
    old = OldForecaster(given.units)
    say(f"nn.LSTM:        loss {learn(old, given.steps, seed=0)[-1]:.4f}")
    with TemporaryDirectory() as folder:
        torch.save(old.state_dict(), Path(folder) / "old.pt")
        model = loaded(Path(folder) / "old.pt", given.units)

    x = sines(4, 50, torch.Generator().manual_seed(1))[:, :-1]
    with torch.no_grad():
        difference = (model(x) - old(x)).abs().max().item()
    say(f"the same outputs: they differ by {difference:.1e}")
    assert difference < 1e-6

    running: nn.Module = model
    if size > 1:
        distributed.init_process_group("gloo")
        running = nn.parallel.DistributedDataParallel(running)
    if given.compile:
        running = torch.compile(running)
    say(f"the equations:  loss {learn(running, given.steps, seed=1 + rank)[-1]:.4f}, {model.rnn.path}")
    if size > 1:
        mine = torch.cat([p.detach().flatten() for p in model.parameters()])
        theirs = mine.clone()
        distributed.broadcast(theirs, src=0)
        assert torch.equal(mine, theirs), "the processes have parted"
        del running  # a wrapper that outlives its group can wait for ever for the threads of the group (PyTorch 2.13)
        distributed.destroy_process_group()
        say(f"{size} processes have the same weights")


if __name__ == "__main__":
    main()
