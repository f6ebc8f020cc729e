#!/usr/bin/env python
"""A cell of your own in a LightningModule: which of two sines comes first, the slow one or the fast one?

pip install torch lightning
python lightning_cell.py
"""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import recurrency as rc

CELL = rc.parse("""
cell Two[N, H](x: [N]) -> (y: [2 * H]) {
    keep = 0.9

    param W, V : [H, N] ~ glorot_uniform
    param U    : [H, H] ~ orthogonal

    state fast, slow : [H] = 0

    fast = tanh(W @ x + U @ fast[t-1])
    slow = keep * slow[t-1] + (1 - keep) * tanh(V @ x)
    y    = concat(fast, slow)
}""")


class Order(lightning.LightningModule):
    """Two logits for each sequence of x [B, T, 1]."""

    def __init__(self, units: int = 8, rate: float = 0.02) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.rnn = CELL.module(N=1, H=units, batch_first=True)
        self.head = nn.Linear(2 * units, 2)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[:, -1])

    def training_step(self, batch, number):
        x, label = batch
        loss = nn.functional.cross_entropy(self(x), label)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, number):
        x, label = batch
        self.log("accuracy", (self(x).argmax(-1) == label).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.rate)


def sines(count: int) -> TensorDataset:
    """Series x [count, 40, 1], and 1 where the fast half comes first."""
    label = torch.arange(count) % 2
    time = torch.arange(20.0) + 6.3 * torch.rand(count, 1)
    slow, fast = torch.sin(0.2 * time), torch.sin(0.9 * time)
    halves = torch.where(label[:, None] == 1, torch.cat([fast, slow], 1), torch.cat([slow, fast], 1))
    return TensorDataset(halves[:, :, None], label)


def main() -> None:
    lightning.seed_everything(0, verbose=False)
    train, valid = DataLoader(sines(256), batch_size=16, shuffle=True), DataLoader(sines(128), batch_size=128)
    trainer = lightning.Trainer(max_epochs=8, accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.fit(Order(), train, valid)
    print(f"accuracy {trainer.callback_metrics['accuracy']:.2f}")


if __name__ == "__main__":
    main()
