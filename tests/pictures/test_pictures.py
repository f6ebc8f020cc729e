"""Files of pictures: SVG, PNG and DOT."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path as FilePath

import pytest

from recurrency.errors import UsageError
from tests.support.drawn import shipped


def test_text_is_outlines_so_that_no_font_is_needed() -> None:
    root = ET.fromstring(shipped("LSTM").svg())
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "text" not in tags
    assert {"symbol", "use", "title"} <= tags


def test_every_node_says_its_equation_as_a_tooltip() -> None:
    svg = shipped("Elman").svg()
    assert "<title>h = squash(W @ x + U @ h[t-1] + b)</title>" in svg


def test_the_outlines_of_a_letter_are_kept_once() -> None:
    root = ET.fromstring(shipped("LSTM").svg())
    ids = [e.get("id") for e in root.iter() if e.tag.endswith("symbol")]
    used = {str(e.get("href")).removeprefix("#") for e in root.iter() if e.tag.endswith("use")}
    assert len(ids) == len(set(ids))
    assert used == set(ids)


def test_a_png_has_three_pixels_for_each_unit_of_the_svg() -> None:
    drawn = shipped("Elman")
    png = drawn.png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert size == pytest.approx((3 * drawn.drawing.width, 3 * drawn.drawing.height), abs=3)


def test_dot_has_every_node_and_edge() -> None:
    drawn = shipped("GatedFeedback")
    dot = drawn.dot()
    assert dot.count(" -> ") == len(drawn.sketch.edges) + len(drawn.sketch.feedback)
    assert all(f'"{id}" [label=' in dot for id in drawn.sketch.nodes)
    assert 'label="full recurrence"' in dot
    assert dot.count("{") == dot.count("}")


@pytest.mark.parametrize("suffix", [".svg", ".png", ".dot", ".SVG"])
def test_save_chooses_by_suffix(tmp_path: FilePath, suffix: str) -> None:
    path = tmp_path / f"cell{suffix}"
    shipped("Elman").save(path)
    beginnings = {".svg": b"<svg", ".png": b"\x89PNG", ".dot": b"digraph"}
    assert path.read_bytes().startswith(beginnings[suffix.lower()])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["cell.jpg", "cell"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: FilePath, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf or \.dot"):
        shipped("Elman").save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_the_same_every_time() -> None:
    code = (
        "from recurrency import library; from recurrency.pictures import draw; import hashlib\n"
        "s = library.LSTM; g = library.MLSTM\n"
        "print(hashlib.sha256((draw(s.definition).svg() + draw(g.definition).svg()).encode()).hexdigest())"
    )
    run = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        )
        for seed in "12"
    ]
    assert run[0].stdout == run[1].stdout != b""
