"""The example of an effect for audio: the commands of its page, on less data, and what the program computes."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend
from recurrency.testing.rounding import FIRST, UNIT
from recurrency.training.runs.weights import load_weights
from tests.support.calling import Run
from tests.support.pages import FENCE

DOCS = Path(__file__).resolve().parents[3] / "docs"
FOLDER = DOCS / "examples" / "effect"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SECONDS = 0.04
BLOCK, RATE = 64, 48000
WAYS = ("step by step", "a block at a time")

REASON = backend.describe()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")


def commands() -> list[list[str]]:
    """The commands of the section on the effect, as words."""
    section = (DOCS / "c.md").read_text(encoding="utf-8").split("\n## An effect for audio\n")[1]
    first = FENCE.search(section)
    assert first is not None
    return [shlex.split(line) for line in first["text"].splitlines()]


def quicker(words: list[str]) -> list[str]:
    """The same command for less work, with stricter checks."""
    more = {"python": ["24"], "cc": STRICT, "./play": [str(SECONDS), "sound"]}.get(words[0], [])
    return [*({"100": "2", "-O3": "-O1"}.get(word, word) for word in words), *more]


@pytest.fixture
def said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the last of the commands prints, after all the others in a copy of the folder."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    out = ""
    for words in map(quicker, commands()):
        if words[0] == "recurrency":
            code, _, error = run(*words[1:])
            assert code == 0, error
            continue
        program = {"python": sys.executable}.get(words[0], words[0])
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        out = done.stdout
    return out


def test_the_program_computes_what_the_interpreter_does(said: str, tmp_path: Path) -> None:
    """Both ways of calling the cell, over many blocks, between which the state is kept.

    To the roundings of a step with sums of 8 terms come those of all steps before; none of them leans to one side, so
    they add up as the root of their number.
    """
    model = rc.load(str(tmp_path / "effect.rnn")).compile(backend="interpreter", dtype="float64", H=8)
    params = load_weights(tmp_path / "effect.safetensors", model)
    pairs = np.fromfile(tmp_path / "sound", np.float32).reshape(len(WAYS), -1, 2)
    steps = -(-round(SECONDS * RATE) // BLOCK) * BLOCK
    assert pairs.shape[1] == steps
    np.testing.assert_array_equal(pairs[0, :, 0], pairs[1, :, 0])
    x = pairs[0, :, 0].astype(float)[:, None, None]
    wanted = model.forward(params, {"x": x, "target": 0 * x}, keep=False).outputs["y"][:, 0, 0]
    bound = UNIT["float32"] * (FIRST + 8 + np.sqrt(steps)) * (np.abs(wanted) + np.abs(wanted).max())
    for way, found in zip(WAYS, pairs[:, :, 1], strict=True):
        assert np.all(np.abs(found - wanted) <= bound), way


def test_the_program_tells_its_speed_and_its_distance_from_the_effect(said: str, tmp_path: Path) -> None:
    """That distance is measured by the effect of the training data."""
    effect: Any = runpy.run_path(str(tmp_path / "effect.py"))["effect"]
    pairs = np.fromfile(tmp_path / "sound", np.float32).reshape(len(WAYS), -1, 2).astype(float)
    lines = said.splitlines()
    for way, line, (x, y) in zip(WAYS, lines, np.moveaxis(pairs, 2, 1), strict=True):
        told = re.fullmatch(
            rf"{way}: ([\d.]+) times real time, worst block ([\d.]+) of 1.333 ms, error (-?[\d.]+) dB", line
        )
        assert told, line
        target = effect(x[None])[0]
        decibels = 10 * np.log10(np.sum((y - target) ** 2) / np.sum(target**2))
        assert abs(float(told[3]) - decibels) < 0.006
        assert float(told[1]) > 0
