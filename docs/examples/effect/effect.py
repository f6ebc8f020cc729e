#!/usr/bin/env python
"""Examples of an effect for audio: a soft clipper before a filter with one pole, on tones, chords and noise.

python effect.py effect.npz [sequences]
"""

from __future__ import annotations

import sys

import numpy as np

RATE, STEPS = 48000, 400
GAIN, CUT = 4.0, 3000.0
"""How far samples are driven into the clipper, and where the filter begins to damp, in Hz; as in play.c."""


def effect(x: np.ndarray) -> np.ndarray:
    """The effect on sequences [sequences, steps]."""
    pole = np.exp(-2 * np.pi * CUT / RATE)
    y, last = np.empty_like(x), np.zeros(len(x))
    for t in range(x.shape[1]):
        last = y[:, t] = pole * last + (1 - pole) * np.tanh(GAIN * x[:, t])
    return y


def signals(count: int, rng: np.random.Generator) -> np.ndarray:
    """Three tones between 40 Hz and 5 kHz and a little noise, of any loudness [count, STEPS]."""
    frequency = 40.0 * 125.0 ** rng.random((count, 3, 1))
    phase = 2 * np.pi * (frequency * np.arange(STEPS) / RATE + rng.random((count, 3, 1)))
    loudness = rng.random((count, 3, 1)) ** 2 / 2
    return np.sum(loudness * np.sin(phase), axis=1) + 0.02 * rng.standard_normal((count, STEPS))


def main(path: str, count: str = "512") -> None:
    x = signals(int(count), np.random.default_rng(0))
    arrays = {"x": x, "target": effect(x)}
    np.savez(path, **{name: array[:, :, None].astype(np.float32) for name, array in arrays.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
