"""Frames of real numbers: piano rolls."""

from __future__ import annotations

from recurrency.training.npz import read_ragged
from recurrency.training.places import find_data
from recurrency.training.task import Settings, Task, from_sequences


def music(settings: Settings, file: str) -> Task:
    """Piano rolls x [T, B, 88] of one collection (Boulanger-Lewandowski et al. 2012), in its published splits."""
    path = find_data(f"music/{file}.npz", settings.data)
    return from_sequences(file, read_ragged(path, "x"), settings)
