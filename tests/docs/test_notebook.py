"""The notebooks of the documentation run as they stand, and print what they say."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples"


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook that hold code."""
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_it_says(path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(path):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), path.name, "exec"), names)
        saved = [out for out in cell["outputs"] if out["output_type"] == "stream" and out["name"] == "stdout"]
        assert printed.getvalue() == "".join(line for out in saved for line in out["text"])
        assert not any(out["output_type"] == "error" for out in cell["outputs"])
    matplotlib.pyplot.close("all")


def test_there_is_a_notebook_and_its_pictures_are_saved_with_it() -> None:
    (path,) = FOLDER.glob("*.ipynb")
    shown = [out.get("data", {}) for cell in cells(path) for out in cell["outputs"]]
    assert sum("image/png" in data for data in shown) == 3
    assert any("<svg" in "".join(data.get("text/html", "")) for data in shown)
