"""Runs of cells with fixed arrays: a run folder keeps given arrays and the seed of drawn ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import RUN

TEXT = """cell Reservoir[H](x: [1]) -> (p: [1]) {
    const M : [H, H] = given
    const W : [H, H] ~ normal(0, 1) * spectral(0.9)
    const w : [H, 1] ~ uniform(1)
    param V : [1, H] ~ glorot_uniform

    state h : [H] = 0

    h = tanh((M * W) @ h[t-1] + w @ x)
    p = sigmoid(V @ h)
    loss binary_cross_entropy(last(p), first(x))
}
"""
OPTIONS = {"epochs": 1, "length": 3, "batch": 50, "log-form": "quiet", "backend": "numpy"}


def request(folder: Path, scale: float = 1.0, seed: int = 5) -> Request:
    """A run of the cell on the data of `first-element`, with the array in a file beside it."""
    (folder / "reservoir.rnn").write_text(TEXT)
    np.save(folder / "mask.npy", scale * np.ones((3, 3)))
    dimensions = {"H": 3, "M": str(folder / "mask.npy"), "const_seed": seed}
    target = str(folder / "reservoir.rnn")
    return Request(target, "first-element", dimensions, OPTIONS, folder=str(folder / "run"), draws=False)


def test_a_run_folder_keeps_given_arrays_and_the_seed_of_drawn_ones(tmp_path: Path) -> None:
    run(request(tmp_path), lambda text: None)
    text = (tmp_path / "run" / RUN).read_text()
    assert 'M = "spec/arrays/M.npy"' in text
    assert "const_seed = 5" in text
    (tmp_path / "mask.npy").unlink()
    said: list[str] = []
    run(Request(str(tmp_path / "run")), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"


def test_a_run_does_not_go_on_with_another_array_or_another_reservoir(tmp_path: Path) -> None:
    run(request(tmp_path), lambda text: None)
    with pytest.raises(UsageError, match=r"dimensions\.M: an array, \w+ in the run, an array, \w+ now"):
        run(request(tmp_path, scale=1 + 1e-12), lambda text: None)
    with pytest.raises(UsageError, match=r"dimensions\.const_seed: 5 in the run, 6 now"):
        run(request(tmp_path, seed=6), lambda text: None)


def test_an_array_outside_of_the_run_folder_is_refused(tmp_path: Path) -> None:
    run(request(tmp_path), lambda text: None)
    toml = tmp_path / "run" / RUN
    toml.write_text(toml.read_text().replace("spec/arrays/M.npy", "../mask.npy"))
    with pytest.raises(UsageError, match=r"the file '\.\./mask.npy' of M lies outside of the run folder"):
        run(Request(str(tmp_path / "run")), lambda text: None)
