"""Pictures of numbers: what can't be drawn is reported, and no file is left of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recurrency.disk import figures
from recurrency.errors import UsageError
from recurrency.extras import install
from tests.support.calling import Run


@pytest.mark.parametrize("suffix", ["", ".png", ".svg", ".pdf"])
def test_the_suffix_says_what_is_written(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures.save(figures.figure("nothing", 2, 2), tmp_path / f"p{suffix}")
    begins = {"": b"\x89PNG", ".png": b"\x89PNG", ".svg": b"<?xm", ".pdf": b"%PDF"}[suffix]
    assert (tmp_path / f"p{suffix}").read_bytes()[:4] == begins


def test_a_suffix_of_no_picture_is_refused_in_a_command(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    code, _, err = run("probe", "Elman", "-D", "N=2", "-D", "H=3", "--picture", str(tmp_path / "p.docx"))
    assert code == 1
    assert "p.docx: a picture of numbers ends in .png, .svg or .pdf" in err
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError) as caught:
        figures.figure("the losses", 7, 4)
    assert str(caught.value) == f"a picture of the losses needs matplotlib: {install('plots')}"
