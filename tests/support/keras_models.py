"""Models of Keras with random weights, on its PyTorch backend; skipped by name where Keras is absent."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of Keras, which are errors in these tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def keras() -> Any:
    """Keras on PyTorch; where it is absent, the test is skipped."""
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ.setdefault("KERAS_HOME", str(Path(tempfile.gettempdir()) / "recurrency-tests-keras"))
    pytest.importorskip("torch")
    with quiet():
        return pytest.importorskip("keras")


def model(layers: Callable[[Any], list[Any]], inputs: int = 3, dtype: str = "float32", seed: int = 0) -> Any:
    """A Sequential model of these layers with normally distributed weights, biases too.

    On PyTorch, Keras 3.15 multiplies matrices in float32 in models of float64 too.
    """
    package = keras()
    usual = package.config.dtype_policy()
    with quiet():
        package.config.set_dtype_policy(dtype)
        try:
            found = package.Sequential([package.Input((None, inputs), dtype=dtype), *layers(package.layers)])
        finally:
            package.config.set_dtype_policy(usual)
    return filled(found, seed)


def filled(found: Any, seed: int = 0) -> Any:
    """The model with normally distributed weights."""
    rng = np.random.default_rng(seed)
    with quiet():
        found.set_weights([rng.normal(0, 0.7, size=w.shape).astype(w.dtype) for w in found.get_weights()])
    return found


def saved(found: Any, path: Any) -> str:
    """The path of a file that Keras writes: `.keras`, `.h5`, `.weights.h5`."""
    with quiet():
        (found.save_weights if str(path).endswith(".weights.h5") else found.save)(path)
    return str(path)


def outputs(found: Any, x: Any) -> Any:
    """What the model makes of x [T, B, N]: [T, B, H]."""
    with quiet():
        return np.swapaxes(np.asarray(found(np.swapaxes(x, 0, 1)).detach()), 0, 1)
