"""README.md is followed to the letter from an empty folder: a new cell, a table, training, predictions, a forecast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recurrency import backend
from tests.docs.test_tutorial import Fence, fences_in, follow

README = Path(__file__).resolve().parents[2] / "README.md"
SECTION = re.compile(r"^## From a table to forecasts\n(?P<text>.*?)^## ", re.MULTILINE | re.DOTALL)


def pieces() -> tuple[list[Fence], list[Fence]]:
    """The blocks of the section, and those of them that need ONNX."""
    found = SECTION.search(README.read_text(encoding="utf-8"))
    assert found is not None
    fences = fences_in(found["text"])
    extra = [fence for fence in fences if "--backend onnx" in fence.text]
    return [fence for fence in fences if fence not in extra], extra


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder in which everything but ONNX has been done."""
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECURRENCY_BACKEND", "numpy")  # which compiles nothing
        follow(pieces()[0], folder)
        yield folder


def test_from_an_empty_folder_to_a_forecast(folder: Path) -> None:
    head, *rows = (folder / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert (head, len(rows)) == ("sequence,step,y", 400)
    head, *rows = (folder / "forecast.csv").read_text(encoding="utf-8").splitlines()
    assert (head, len(rows)) == ("sequence,step,y", 20 * 50)
    assert [row.split(",")[:2] for row in (rows[0], rows[49])] == [["0", "20"], ["0", "69"]]
    first = np.array([float(row.split(",")[2]) for row in rows[:3]])
    assert np.abs(first - np.sin(0.3 * np.arange(20, 23))).max() < 0.2, "the wave goes on"


def test_the_trained_network_leaves_as_an_onnx_file(folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    if "onnx" not in backend.names():
        pytest.skip("there is no backend onnx")
    follow(pieces()[1], folder)
    onnx.checker.check_model(str(folder / "wave.onnx"))


def test_the_section_has_all_that_a_beginner_needs() -> None:
    text = " ".join(fence.text for part in pieces() for fence in part if fence.kind == "sh")
    for command in ("new", "train", "evaluate", "predict", "compile"):
        assert f"recurrency {command} " in text
    assert "--ahead" in text
