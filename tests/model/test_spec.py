"""Finding, reading and showing a specification."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import recurrency as rc

TEXT = '''
cell First[N](x: [N]) -> (y: [N]) {
    """Twice its input."""
    y = 2 * x
}

cell Second[N](x: [N]) -> (y: [N]) { y = First(x) }
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "twice.rnn").write_text(TEXT)
    (tmp_path / "other.rnn").write_text("cell Other(x: []) -> (y: []) { y = x }")
    return tmp_path


def test_the_last_cell_is_meant_where_none_is_named(folder: Path) -> None:
    file = folder / "twice.rnn"
    assert rc.load(file).name == "Second"
    assert rc.load(str(file), cell="First").name == "First"
    assert rc.load(f"{file}:First").name == "First"
    assert rc.parse(TEXT).name == "Second"
    assert rc.parse(TEXT, cell="First").doc == "Twice its input."


def test_a_spec_knows_its_text(folder: Path) -> None:
    spec = rc.load(folder / "twice.rnn:First")
    assert repr(spec) == f"<cell First of {folder / 'twice.rnn'}>"
    assert [c.name for c in spec.file.cells] == ["First", "Second"]
    assert spec.cell.name == "First"
    assert spec.source.text == TEXT
    assert rc.parse("cell C(x: []) -> (y: []) { y = x }").doc == ""


def test_a_missing_file_is_told_with_the_nearest(folder: Path) -> None:
    for name, message in (
        ("twise.rnn", f"there is no file {folder / 'twise.rnn'}; did you mean {folder / 'twice.rnn'}?"),
        ("twise.rnn:First", f"there is no file {folder / 'twise.rnn'}; did you mean {folder / 'twice.rnn'}?"),
        ("zzz", f"there is no file {folder / 'zzz'}"),
        ("", f"there is no file {folder}; {folder} has other.rnn, twice.rnn"),
        ("no/where.rnn", f"there is no file {folder / 'no/where.rnn'}"),
    ):
        with pytest.raises(rc.UsageError) as caught:
            rc.load(folder / name)
        assert str(caught.value) == message
    with pytest.raises(rc.UsageError) as caught:
        rc.load("LSTM")
    assert str(caught.value) == "there is no file LSTM; the cell of the library is recurrency.library.LSTM"


def test_a_missing_cell_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(rc.SpecError, match=r"twice.rnn has no cell Frist\n +. ?=? ?help: did you mean First\?"):
        rc.load(folder / "twice.rnn:Frist")
    with pytest.raises(rc.SpecError, match="has no cell Qqq"):
        rc.parse(TEXT, cell="Qqq")
    with pytest.raises(rc.SpecError, match="<text> holds no cell"):
        rc.parse("# nothing")


def test_all_mistakes_of_a_file_are_found_at_once() -> None:
    spec = rc.parse("cell A(x: []) -> (y: []) { y = q }\ncell B(x: []) -> (y: []) { y = r }")
    with pytest.raises(rc.SpecError) as caught:
        spec.check()
    assert len(caught.value.diagnostics) == 2
    with pytest.raises(rc.SpecError) as caught:
        spec.compile("interpreter")
    assert len(caught.value.diagnostics) == 1


def test_shipped_cells_are_found_by_name() -> None:
    assert "LSTM" in rc.library.names()
    assert rc.library.LSTM.name == rc.library.spec("LSTM").name == "LSTM"
    assert "LSTM" in dir(rc.library)
    for name, message in (("lstm", "did you mean LSTM?"), ("Qqqqqq", f"it has {rc.library.names()[0]}, ")):
        with pytest.raises(rc.UsageError, match=f"the library has no cell {name}; ") as caught:
            rc.library.spec(name)
        assert message in str(caught.value)
        with pytest.raises(AttributeError, match=f"the library has no cell {name}; "):
            getattr(rc.library, name)


def test_a_notebook_shows_equations_picture_and_text() -> None:
    spec = rc.library.Elman
    assert spec._repr_latex_().startswith(r"\begin{align*}")
    assert spec._repr_latex_() == spec.latex()
    html = spec._repr_html_()
    assert "cell Elman[N, H, squash = tanh](x: [N]) -&gt; (h: [H]) {" in html
    picture = spec._repr_svg_()
    assert picture is not None
    assert picture in html
    assert "<svg" in picture


def test_a_spec_with_a_mistake_is_still_shown_as_text() -> None:
    spec = rc.parse("cell A(x: []) -> (y: []) { y = q[j] }")
    assert "y = q[j]" in spec._repr_html_()


def test_models_of_equal_dimensions_share_their_graphs_and_no_others() -> None:
    spec = rc.library.GRU
    one, other = (spec.compile(backend=name, dtype="float64", N=2, H=3) for name in ("interpreter", "numpy"))
    assert other.programs.graph("backward", ()) is one.programs.graph("backward", ())
    without = spec.compile(N=2, H=3, without=["pack"])
    assert without.programs.graph("backward", ()) is not one.programs.graph("backward", ())
    assert spec.compile(N=2, H=4).programs.graph("backward", ()) is not one.programs.graph("backward", ())
    changed = replace(one.programs.elaborated)
    assert changed.programs == {}


def test_a_spec_can_be_copied_and_pickled() -> None:
    spec = rc.parse(rc.library.GRU.source.text, cell="GRU")
    model = spec.compile(N=2, H=3)
    for copied in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        assert copied.name == "GRU"
        assert copied.compile(N=2, H=3).size == model.size
