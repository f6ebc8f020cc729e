"""Pictures as PDF: a whole file, all of the picture in it, and the same to look at as the PNG."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recurrency import library
from recurrency.cli import cli
from recurrency.pictures import Picture, draw
from recurrency.pictures.drawing.pdf import render_pdf

CELLS = ("LSTM", "AttentionWindow", "MLSTM")
OPERATORS = {"q", "Q", "cm", "rg", "RG", "w", "J", "d", "m", "l", "c", "h", "re", "f", "S", "B"}


def picture(name: str) -> Picture:
    return draw(library.spec(name).definition)


def content(pdf: bytes) -> str:
    """The operators of the page."""
    found = re.search(rb"FlateDecode>>stream\n(.*)\nendstream", pdf, re.DOTALL)
    assert found is not None
    return zlib.decompress(found[1]).decode("ascii")


@pytest.mark.parametrize("name", CELLS)
def test_a_file_is_whole(name: str) -> None:
    pdf = picture(name).pdf()
    start = int(pdf.split(b"startxref\n")[1].split(b"\n")[0])
    rows = pdf[start:].split(b"trailer")[0].split(b"\n")[3:-1]
    for number, row in enumerate(rows, 1):
        assert pdf[int(row[:10]) :].startswith(b"%d 0 obj" % number)
    length = re.search(rb"/Length (\d+)", pdf)
    assert length is not None
    assert len(re.split(rb"stream\n", pdf)[1]) - len(b"\nend") == int(length[1])
    assert pdf == picture(name).pdf()


@pytest.mark.parametrize("name", CELLS)
def test_all_of_the_picture_is_on_the_page(name: str) -> None:
    shown = picture(name)
    used = Counter(re.findall(r"[A-Za-z]+", content(shown.pdf())))
    assert set(used) <= OPERATORS
    assert used["q"] == used["Q"]
    root = ET.fromstring(shown.svg())
    symbols = [e for e in root.iter() if e.tag.endswith("symbol")]
    inside = {e for symbol in symbols for e in symbol.iter()}
    blank = {f"#{symbol.get('id')}" for symbol in symbols if not len(symbol)}
    tags = Counter(e.tag.rpartition("}")[2] for e in root.iter() if e not in inside and e.get("href") not in blank)
    assert used["f"] + used["S"] + used["B"] == tags["path"] + tags["rect"] + tags["use"]
    width, height = (float(root.get(side, "0")) for side in ("width", "height"))
    assert f"/MediaBox[0 0 {width:g} {height:g}]".encode() in shown.pdf()


def test_what_has_no_operators_is_refused() -> None:
    with pytest.raises(ValueError, match="no operators for <text>"):
        render_pdf('<svg width="1" height="1"><text>x</text></svg>')


def test_the_suffix_asks_for_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["show", "LSTM", "--graph", str(tmp_path / "cell.PDF")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "cell.PDF").read_bytes().startswith(b"%PDF-1.4")


@pytest.mark.skipif(shutil.which("mutool") is None, reason="mutool, which shows PDF, is not installed")
@pytest.mark.parametrize("name", CELLS)
def test_it_looks_like_the_png(name: str, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    shown = picture(name)
    (tmp_path / "a.pdf").write_bytes(shown.pdf())
    (tmp_path / "a.png").write_bytes(shown.png(zoom=2.0))
    command = ["mutool", "draw", "-q", "-r", "144", "-o", str(tmp_path / "b.png"), str(tmp_path / "a.pdf")]
    subprocess.run(command, check=True, capture_output=True)
    one, two = (image.imread(tmp_path / file)[..., :3] for file in ("a.png", "b.png"))
    rows, columns = (min(a, b) for a, b in zip(one.shape[:2], two.shape[:2], strict=True))
    difference = np.abs(one[:rows, :columns] - two[:rows, :columns])
    ink = np.abs(1 - one[:rows, :columns]).mean()
    assert difference.mean() < 0.2 * ink
