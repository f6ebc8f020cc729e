"""`recurrency curves`: several runs in one picture, and what it says where there is nothing to draw."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.support.calling import Run

pytest.importorskip("matplotlib")


def run_of(folder: Path, losses: list[float], valid: bool = True) -> str:
    """A folder as a run leaves it, as far as curves need it."""
    folder.mkdir()
    (folder / "run.toml").write_text('spec = "Music"\n', encoding="utf-8")
    lines = [
        {"event": "epoch", "step": 10 * (n + 1), "train": loss, "valid": loss / 2 if valid else None}
        for n, loss in enumerate(losses)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(folder)


def words(picture: Path) -> str:
    """What a picture is made of, with the texts that matplotlib leaves as comments."""
    text = picture.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    return text


def test_each_run_has_a_curve_under_the_name_of_its_folder(run: Run, tmp_path: Path) -> None:
    runs = [run_of(tmp_path / "irnn", [0.4, 0.2]), run_of(tmp_path / "lstm", [0.5, 0.1], valid=False)]
    picture = tmp_path / "curves.svg"
    code, out, _ = run("curves", *runs, "--log", "-o", str(picture))
    assert (code, out) == (0, f"wrote {picture}\n")
    drawn = words(picture)
    assert "<!-- irnn -->" in drawn
    assert "<!-- lstm -->" in drawn
    assert "<!-- validation -->" not in drawn


def test_two_folders_of_one_name_are_told_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    runs = [run_of(tmp_path / "a" / "lstm", [0.4]), run_of(tmp_path / "b" / "lstm", [0.5])]
    run("curves", *runs, "-o", str(tmp_path / "curves.svg"))
    drawn = words(tmp_path / "curves.svg")
    assert "<!-- lstm -->" in drawn
    assert f"<!-- {runs[1]} -->" in drawn


def test_a_single_run_shows_both_losses(run: Run, tmp_path: Path) -> None:
    run("curves", run_of(tmp_path / "irnn", [0.4, 0.2]), "-o", str(tmp_path / "curves.svg"))
    drawn = words(tmp_path / "curves.svg")
    assert "<!-- training -->" in drawn
    assert "<!-- validation -->" in drawn


@pytest.mark.parametrize(
    ("made", "output", "message"),
    [
        (None, "c.png", "holds no run; `recurrency train ... --run"),
        ([], "c.png", "has ended no epoch yet, so there is nothing to draw"),
        ([0.5], "c.docx", "ends in .png, .svg or .pdf"),
    ],
    ids=["no run", "no epoch", "no picture"],
)
def test_what_can_not_be_drawn_is_told(
    made: list[float] | None, output: str, message: str, run: Run, tmp_path: Path
) -> None:
    folder = str(tmp_path / "absent") if made is None else run_of(tmp_path / "run", made)
    code, _, err = run("curves", folder, "-o", str(tmp_path / output))
    assert code == 1
    assert message in err
    assert not (tmp_path / output).exists()
