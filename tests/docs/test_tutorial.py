"""Pages that are followed to the letter in an empty folder: their files, their commands, and what they print."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.pages import FENCE, printed

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXACT = ("recurrency check ", "recurrency show ", "recurrency diff ")
"""Commands that print the same on each machine."""
DIFFER = "recurrency diff"
"""Ends with 1 where two cells differ."""
PATIENCE = 600
"""Seconds after which a command hangs."""


class Fence(NamedTuple):
    """A piece of the page between two lines of back quotes."""

    kind: str
    name: str | None
    text: str


def fences_of(page: str) -> list[Fence]:
    """The pieces of a page."""
    return fences_in((DOCS / page).read_text(encoding="utf-8"))


def fences_in(text: str) -> list[Fence]:
    """The pieces of a text."""
    return [Fence(m["kind"], m["name"], m["text"]) for m in FENCE.finditer(text)]


def follow(fences: list[Fence], folder: Path) -> None:
    """Write what is to be written, run what is to be run, and compare what is printed with what the page says."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    said, exact = "", False
    for number, fence in enumerate(fences):
        if fence.name:
            (folder / fence.name).write_text(fence.text, encoding="utf-8")
        elif fence.kind == "sh":
            fails = "".join(later.text for later in fences[number + 1 : number + 2]).startswith("error")
            codes = {1} if fails else {0, 1} if DIFFER in fence.text else {0}
            said, exact = "", all(command.startswith(EXACT) for command in fence.text.splitlines())
            for command in fence.text.splitlines():
                out = subprocess.run(
                    shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
                )
                said += out.stdout + out.stderr
                assert out.returncode in codes, f"{command}\n{said}"
        else:
            assert fence.kind == "text", f"a fence of the kind {fence.kind} without a name is nothing to be done"
            printed(fence.text, said, exact)


def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    fences = fences_of("tutorial.md")
    assert len([fence for fence in fences if fence.kind == "sh"]) > 10
    follow(fences, tmp_path)
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in (tmp_path / "leaky.svg").read_text(encoding="utf-8")


@pytest.mark.long
def test_predictions_work_as_their_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_BACKEND", "numpy")
    follow(fences_of("predict.md"), tmp_path)
    forecast = (tmp_path / "forecast.csv").read_text(encoding="utf-8").splitlines()
    assert (forecast[0], forecast[1].split(",")[:2], len(forecast)) == ("sequence,step,y", ["0", "20"], 1 + 20 * 50)


def test_what_is_not_printed_is_missed() -> None:
    printed("a 1\n…\nb 2.5e-3", "a 7\nc\nb 9")
    for wanted in ("b 1\na 1", "a 1\nd", "a"):
        with pytest.raises(AssertionError, match="was not printed"):
            printed(wanted, "a 7\nc\nb 9")
    printed("a 7\nb  9", "a   7\nc\nb 9", exact=True)
    with pytest.raises(AssertionError, match="was not printed"):
        printed("a 7\nb 8", "a 7\nc\nb 9", exact=True)
