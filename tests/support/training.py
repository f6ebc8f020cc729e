"""A tiny trainable model, a scripted one, and a task for them."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from recurrency import library
from recurrency.training.data import Array
from recurrency.training.loop.processes import Processes
from recurrency.training.tasks import Settings, Task, first_element


class FirstBit:
    """y = w . x over all steps + b, judged by the squared distance from the first bit, averaged over the batch."""

    batch_first = False
    has_loss = True
    loss_kinds = ("sequences",)
    over_calls = ""
    spec = library.FirstElement

    def __init__(self, steps: int = 5, dtype: str = "float64") -> None:
        self.size, self.dtype = steps + 1, dtype
        self.seeds: list[int] = []

    def init(self, seed: int = 0) -> Array:
        return np.random.default_rng(seed).normal(size=self.size).astype(self.dtype)

    def losses(self, params: Array, inputs: Any, *, lengths: Any = None) -> dict[str, float]:
        x = inputs["x"][:, :, 0]
        return {"sequences": float(np.mean((params[:-1] @ x + params[-1] - x[0]) ** 2))}

    def losses_and_gradients(
        self,
        params: Array,
        inputs: Any,
        *,
        weights: Any,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        wrt: Any = (),
    ) -> tuple[dict[str, float], Any, Any]:
        assert training
        assert tuple(wrt) == ("params",)
        assert weights == {"sequences": 1.0}
        self.seeds.append(seed)
        x = inputs["x"][:, :, 0]
        error = params[:-1] @ x + params[-1] - x[0]
        grad = 2 * np.append(x @ error, error.sum()) / len(error)
        return {"sequences": float(np.mean(error**2))}, SimpleNamespace(params=grad.astype(self.dtype)), {}

    def views(self, params: Array) -> dict[str, Array]:
        return {"w": params[:-1], "b": params[-1:]}

    def pack(self, arrays: dict[str, Array]) -> Array:
        return np.concatenate([arrays["w"], arrays["b"]])


class Scripted(FirstBit):
    """A model whose validation losses, and training losses from some step on, are given."""

    def __init__(self, valid: list[float], train_losses: Iterable[float] = ()) -> None:
        super().__init__()
        self.valid, self.train_losses = iter(valid), iter(train_losses)
        self.seen: list[Array] = []

    def losses(self, params: Array, inputs: Any, *, lengths: Any = None) -> dict[str, float]:
        self.seen.append(params.copy())
        return {"sequences": next(self.valid)}

    def losses_and_gradients(self, params: Array, inputs: Any, **options: Any) -> tuple[dict[str, float], Any, Any]:
        return {"sequences": next(self.train_losses, 1.0)}, SimpleNamespace(params=np.ones(self.size)), {}


def bits(steps: int = 4) -> Task:
    return first_element(Settings(batch=8, length=5), steps)


class Silent(Processes):
    """One of several processes whose sums the test takes itself."""

    def sum(self, *arrays: Any) -> None:
        """Leaves the shares as they are."""
