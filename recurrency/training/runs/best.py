"""The parameters that a run has found so far."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.runs.folders import BEST, RunFolder
from recurrency.training.runs.weights import Named, load_weights, read_about


def best_parameters(folder: RunFolder, model: Named, tell: Callable[[str], None] = lambda words: None) -> Any:
    """The best parameters of a run, [size]; the latest ones before its first epoch has ended.

    They are read from safetensors files, which hold arrays only. `tell` gets what is said of a damaged checkpoint.

    Raises:
        UsageError: there are none yet, or they have numbers that are not finite. ShapeError: they are of another model.
    """
    if (folder / BEST).exists() and epoch_of(folder / BEST) >= 0:
        params = load_weights(folder / BEST, model)
        if not np.isfinite(params).all():
            raise UsageError(f"{folder / BEST} has numbers that are not finite; train again")
        return params
    snapshot = folder.checkpoint(tell)
    if snapshot is None:
        raise UsageError(f"{folder.path} has no parameters yet; wait for its first checkpoint")
    return snapshot.history.params if snapshot.history.best_epoch >= 0 else snapshot.params


def epoch_of(path: Path) -> int:
    """The epoch of the parameters in a file, from 0; -1: none of the run has ended.

    Raises:
        UsageError: the file cannot be read, or says something else.
    """
    text = read_about(path).get("epoch", "0")
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"{path} says that it is of the epoch {text!r}, which is no number; train again") from error
