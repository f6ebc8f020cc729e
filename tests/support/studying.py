"""A small study, and how tests run it."""

from __future__ import annotations

from pathlib import Path

from recurrency.reproducing.command import Request, reproduce
from recurrency.reproducing.starting import Start, in_this_process

STUDY = """
paper = "Nobody 2020: Small things"
about = "Small networks learn small tasks."
changed = ["Everything is smaller."]

[base]
spec = "Adding"
task = "addition"
dimensions = { H = 3, Cell = "Elman" }
task-options = { length = 4, layout = "le", steps = 3, held = 40 }
training = { epochs = 2, batch = 4, optimiser = "adam", rate = 0.01 }

[scales.small]
seeds = [0, 1]
[scales.tiny]
seeds = [0]
training = { epochs = 1 }

[[table]]
name = "losses"
caption = "Losses of both"
value = "test"
unit = "mean squared error"
source = "table 1"
curve = "valid"

[[table.run]]
name = "three units"
published = 0.1
minutes = 0.1

[[table.run]]
name = "two units"
published = "below chance"
rates = [0.1, 0.001]
dimensions = { H = 2 }
small = { training = { epochs = 1 } }

[[table.claim]]
less = ["three units", 100]
words = "Three units are better than nothing."
[[table.claim]]
more = ["three units", "two units"]
margin = 50
words = "Three units are far worse."
"""


def write_study(folder: Path, text: str = STUDY, name: str = "nobody-2020") -> Path:
    """The file of a study in a folder."""
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def reproduced(
    path: Path, out: Path, *, start: Start = in_this_process, scale: str = "small", **more: object
) -> tuple[list[str], str]:
    """What a command says, and its report."""
    said: list[str] = []
    request = Request((str(path),), scale=scale, out=str(out), start=start, processes=1)
    reproduce(Request(**{**vars(request), **more}), said.append)
    return said, (out / "report.md").read_text(encoding="utf-8")
