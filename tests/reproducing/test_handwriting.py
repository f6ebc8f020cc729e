"""Losses of whole sequences, and drawings of networks in a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.reproducing.handwriting import sequence
from recurrency.reproducing.pictures import PICTURES
from recurrency.reproducing.readings import Reading, Run
from recurrency.reproducing.scenes import Scene, Shown
from recurrency.reproducing.values import VALUES
from recurrency.training.runs.command import Request, run
from recurrency.training.tasks import TASKS, Settings
from tests.training.test_handwriting import font

HELD = 5
SHAPE: dict[str, Any] = {"V": 27, "H": 2, "M": 2, "L": 1, "K": 2}
OPTIONS: dict[str, Any] = {"epochs": 1, "batch": 2, "dtype": "float64", "backend": "numpy", "log-form": "quiet"}


def written(folder: Path, spec: str, shape: dict[str, Any]) -> Run:
    """A finished run on a font whose letters are all alike."""
    task: dict[str, Any] = {"steps": 2, "held": HELD}
    request = Request(
        spec, "hershey", shape, OPTIONS, data=str(font(folder)), task_options=task, folder=str(folder / "run")
    )
    run(request, lambda words: None)
    return Run.at(folder / "run")


def test_the_loss_of_a_sequence_is_the_sum_over_its_steps_and_drawings_are_lines(tmp_path: Path) -> None:
    found = written(tmp_path, "Handwriting", SHAPE)
    reading = sequence(found, samples=2, text="no", bias=0.5)
    assert reading is not None
    model = rc.library.Handwriting.compile(dtype="float64", **SHAPE)
    tensors = load_file(found.folder / "best.safetensors")
    params = model.init(seed=0)
    for name, view in model.views(params).items():
        view[...] = tensors[name]
    settings = Settings(data=tmp_path / "hershey_rowmans.jhf", batch=1, dtype="float64")
    batches = list(TASKS["hershey"].build(settings, steps=2, held=HELD).test())
    sums = [len(batch.inputs["x"]) * model.loss(params, batch.inputs) for batch in batches]
    assert len(sums) == HELD
    assert reading.value == pytest.approx(np.mean(sums), rel=1e-10)
    assert len(reading.detail["drawings"]) == 2
    assert all(len(point) == 2 for drawing in reading.detail["drawings"] for stroke in drawing for point in stroke)
    with pytest.raises(UsageError, match="the source has '!'"):
        sequence(found, samples=1, text="!", bias=0.0)


def test_a_network_without_a_text_draws_what_it_likes(tmp_path: Path) -> None:
    found = written(tmp_path, "Strokes", {"H": 2, "M": 2, "L": 1})
    reading = sequence(found, samples=1, text="no", bias=0.0)
    assert reading is not None
    assert len(reading.detail["drawings"]) == 1
    assert sequence(Run(found.folder, found.lines[:-1]), samples=0, text="", bias=0.0) is None


def test_drawings_become_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = Reading(1.0, "", {"drawings": [[[[0.0, 0.0], [1.0, 2.0]], [[3.0, 3.0]]]]})
    at = Run(tmp_path, ())
    rows = (Shown("one", None, ((0, at, None), (1, at, drawn))), Shown("none", None, ((0, at, Reading(1.0)),)))
    for number, chosen in enumerate((rows, rows[1:], ())):
        path = tmp_path / f"{number}.png"
        PICTURES["strokes"].save(Scene(VALUES["sequence"], "nats", chosen, {}), path)
        assert path.stat().st_size > 1000
