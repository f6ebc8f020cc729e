"""Writes piano rolls: bits and notes as an .npz file, and a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.disk import figures
from recurrency.disk.files import write_whole
from recurrency.generating.steps import Array

DRAWN = 8
"""Greatest number of rolls in a picture."""
NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def notes(roll: Array, lowest: int) -> Array:
    """The notes [count, 3] of a piano roll [T, N]: key (60 is middle C), first frame, number of frames; by time."""
    edges = np.diff(np.pad(roll > 0, ((1, 1), (0, 0))).astype(np.int8), axis=0)
    keys, starts = np.nonzero(edges.T == 1)
    _, ends = np.nonzero(edges.T == -1)
    order = np.lexsort((keys, starts))
    return np.stack([keys + lowest, starts, ends - starts], 1)[order].astype(np.int32)


def arrays(rolls: Sequence[Array], lowest: int) -> dict[str, Array]:
    """The arrays of the file, in the layout of the data sets.

    `roll` [frames, N] has the bits of all rolls one after the other, `roll_len` [rolls] their numbers of frames;
    `notes` [count, 4] has the index of the roll, the key, the first frame and the number of frames of each note.
    """
    found = [np.insert(notes(roll, lowest), 0, number, 1) for number, roll in enumerate(rolls)]
    return {
        "roll": np.concatenate(rolls).astype(np.uint8),
        "roll_len": np.array([len(roll) for roll in rolls], np.int32),
        "notes": np.concatenate(found),
    }


def save(rolls: Sequence[Array], lowest: int, path: str | Path) -> None:
    """Write piano rolls [T, N] as an .npz file (see `arrays`).

    Raises:
        UsageError: the file can't be written.
    """
    data = io.BytesIO()
    found: dict[str, Any] = dict(arrays(rolls, lowest))
    np.savez_compressed(data, **found)
    write_whole(path, data.getvalue())


def draw(rolls: Sequence[Array], lowest: int, path: str | Path) -> None:
    """Draw the first piano rolls [T, N] one below the other, as a PNG (or what the suffix says).

    Raises:
        UsageError: matplotlib is missing, or the file can't be written.
    """
    rolls = rolls[:DRAWN]
    low, high = _range(rolls, lowest)
    steps = max(len(roll) for roll in rolls)
    figure = figures.figure("a piano roll", min(max(4.0, 0.06 * steps), 16.0), 0.6 + 2.0 * len(rolls))
    for roll, axes in zip(rolls, figure.subplots(len(rolls), 1, sharex=True, squeeze=False)[:, 0], strict=True):
        for key, start, length in notes(roll, lowest):
            axes.broken_barh([(start, length)], (key - 0.4, 0.8), color="C0")
        octaves = [key for key in range(low, high + 1) if key % 12 == 0]
        axes.set(xlim=(0, steps), ylim=(low - 0.5, high + 0.5), yticks=octaves, ylabel="key")
        axes.set_yticklabels([name(key) if lowest else str(key) for key in octaves])
        figures.unframed(axes)
        axes.set_axisbelow(True)
    axes.set_xlabel("frame")
    figures.save(figure, path)


def _range(rolls: Sequence[Array], lowest: int) -> tuple[int, int]:
    """The lowest and the highest key in a picture: all that sound, and at least two octaves."""
    keys = np.flatnonzero(np.concatenate(rolls).any(0)) + lowest
    low, high = (int(keys.min()), int(keys.max())) if len(keys) else (lowest, lowest + rolls[0].shape[1] - 1)
    spare = max(0, 24 - (high - low))
    return low - (spare + 1) // 2 - 1, high + spare // 2 + 1


def name(key: int) -> str:
    """The note and octave of a key: 60 is C4."""
    return f"{NAMES[key % 12]}{key // 12 - 1}"
