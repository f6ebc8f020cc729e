"""Sizes over layers are those of a network written out, and the picture draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from recurrency.errors import UsageError
from recurrency.reproducing.pictures import PICTURES
from recurrency.reproducing.probing import WHEN, gradient_kept
from recurrency.reproducing.readings import Reading, Run
from recurrency.reproducing.scenes import Scene, Shown
from recurrency.reproducing.values import VALUES
from recurrency.training.runs.command import Request, run

L, H, N, K, COUNT = 3, 5, 4, 3, 6
FILE = f"""
spec = "DeepClassifier"
data = "images.npz"
[dimensions]
N = {N}
H = {H}
K = {K}
L = {L}
[init]
"*.W" = "standard_uniform"
[training]
epochs = 2
batch = {COUNT}
rate = 0.1
dtype = "float64"
backend = "numpy"
log-form = "quiet"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    """A finished run, and its training data: x [COUNT, N] and label [COUNT]."""
    folder, rng = tmp_path_factory.mktemp("probing"), np.random.default_rng(0)
    data = {"x": rng.standard_normal((COUNT, 1, N)), "label": rng.integers(0, K, (COUNT, 1))}
    held = {f"{part}_{name}": each for part in ("valid", "test") for name, each in data.items()}
    np.savez(folder / "images.npz", **data, **held)
    (folder / "mine.toml").write_text(FILE.replace("images.npz", str(folder / "images.npz")), encoding="utf-8")
    run(Request(str(folder / "mine.toml"), folder=str(folder / "run")), lambda words: None)
    return Run.at(folder / "run"), {name: each[:, 0] for name, each in data.items()}


def by_hand(p: dict[str, Any], x: Any, label: Any) -> tuple[list[float], list[float]]:
    """Root mean squares of h, and of the gradients at s, from the first layer to the last."""
    h = [x]
    for layer in range(1, L + 1):
        h.append(np.tanh(h[-1] @ p[f"s[{layer}].W"].T + p[f"s[{layer}].b"]))
    logits = h[-1] @ p["logits.W"].T + p["logits.b"]
    back = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(K)[label]) / COUNT @ p["logits.W"]
    gradients = []
    for layer in range(L, 0, -1):
        back = back * (1 - h[layer] ** 2)
        gradients.insert(0, np.sqrt(np.mean(back**2)))
        back = back @ p[f"s[{layer}].W"]
    return [float(np.sqrt(np.mean(each**2))) for each in h[1:]], gradients


def test_the_sizes_are_those_of_a_network_written_out(trained: tuple[Run, dict[str, Any]]) -> None:
    found = gradient_kept(trained[0], "h[*]", "s[*]")
    activations, gradients = by_hand(load_file(trained[0].folder / "best.safetensors"), **trained[1])
    assert found.detail["over"] == "layer"
    np.testing.assert_allclose(found.detail[WHEN[1]]["activations"], activations, rtol=1e-12)
    np.testing.assert_allclose(found.detail[WHEN[1]]["gradients"], gradients, rtol=1e-12)
    start = found.detail[WHEN[0]]["gradients"]
    assert found.value == pytest.approx(start[0] / start[-1])
    assert start != found.detail[WHEN[1]]["gradients"]


def test_one_stream_is_measured_over_the_steps(trained: tuple[Run, dict[str, Any]]) -> None:
    found = gradient_kept(trained[0], "h[2]", "")
    assert found.detail["over"] == "step"
    assert len(found.detail[WHEN[0]]["activations"]) == 1


def test_patterns_that_do_not_fit_are_told(trained: tuple[Run, dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="DeepClassifier has no stream g"):
        gradient_kept(trained[0], "g*", "")
    with pytest.raises(UsageError, match=r"h\[\*\] matches 3 streams, s\[1\] matches 1"):
        gradient_kept(trained[0], "h[*]", "s[1]")


def test_the_picture_draws_what_there_is(trained: tuple[Run, dict[str, Any]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    value, there = VALUES["gradient-kept"], gradient_kept(trained[0], "h[*]", "s[*]")
    rows = [("tanh", there), ("missing", None), ("damaged", Reading(1.0, "", {"over": 3}))]
    scene = Scene(value, "", tuple(Shown(name, None, ((0, trained[0], found),)) for name, found in rows), {})
    PICTURES["probe"].save(scene, tmp_path / "sizes.png")
    assert (tmp_path / "sizes.png").read_bytes()[:4] == b"\x89PNG"
    PICTURES["probe"].save(Scene(value, "", scene.rows[1:], {}), tmp_path / "empty.png")
