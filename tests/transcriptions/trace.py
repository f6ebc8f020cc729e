"""What a transcription is: one paper's equations for ONE sequence, with column vectors, as the paper prints them.

    def gru(p, first, x): ...            # p: parameters by dotted name; first: states handed over, any may lack
        return Trace(outputs={"h": ...}, state={"h": ...}, loss=None)

`transcribe` runs it over a padded batch: each sequence alone, cut to its own length, so padding is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Arrays: TypeAlias = Mapping[str, Array]


@dataclass(frozen=True)
class Trace:
    """Outputs [T, ...], final states [...], and the loss: [T] terms of a stream, a scalar for one value a sequence."""

    outputs: dict[str, Array]
    state: dict[str, Array]
    loss: Array | None = None


Transcription: TypeAlias = Callable[..., Trace]


def sigmoid(a: Array | float) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-a)))


def softmax(a: Array) -> Array:
    e = np.exp(a - a.max())
    return np.asarray(e / e.sum())


def binary_cross_entropy(p: Array, target: Array) -> Array:
    """-sum over the vector of target log p + (1 - target) log (1 - p)."""
    return np.asarray(-np.sum(target * np.log(p) + (1 - target) * np.log(1 - p), axis=-1))


def below(p: Arrays, prefix: str) -> dict[str, Array]:
    """The parameters (or states) of one sub-cell, without its prefix: `fwd.W_i` -> `W_i`."""
    return {name[len(prefix) + 1 :]: value for name, value in p.items() if name.startswith(prefix + ".")}


def named(prefix: str, state: Arrays) -> dict[str, Array]:
    """The opposite: the states of a sub-cell, by the names its user sees."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def transcribe(
    transcription: Transcription,
    p: Arrays,
    inputs: Mapping[str, NDArray[np.generic]],
    lengths: Mapping[str, NDArray[np.int64]],
    state: Arrays | None = None,
) -> Trace:
    """Every sequence of a batch by itself: outputs [T, B, ...] (zero after each end), final states [B, ...], the loss.

    `lengths` maps each input to the lengths [B] of its clock.
    """
    batch = len(next(iter(lengths.values())))
    traces = []
    for b in range(batch):
        own = {name: array[: lengths[name][b], b] for name, array in inputs.items()}
        traces.append(transcription(p, {name: array[b] for name, array in (state or {}).items()}, **own))
    steps = max(len(next(iter(trace.outputs.values()))) for trace in traces)
    return Trace(
        outputs={name: padded([trace.outputs[name] for trace in traces], steps) for name in traces[0].outputs},
        state={name: np.stack([trace.state[name] for trace in traces]) for name in traces[0].state},
        loss=mean_loss([trace.loss for trace in traces]),
    )


def padded(arrays: list[Array], steps: int) -> Array:
    """[T_b, ...] for each b -> [T, B, ...] with zeros after each end."""
    out = np.zeros((steps, len(arrays), *arrays[0].shape[1:]))
    for b, array in enumerate(arrays):
        out[: len(array), b] = array
    return out


def mean_loss(losses: list[Array | None]) -> Array | None:
    """A stream over all valid steps of the batch, one value a sequence over the batch."""
    given = [np.atleast_1d(loss) for loss in losses if loss is not None]
    return np.asarray(np.mean(np.concatenate(given))) if given else None
