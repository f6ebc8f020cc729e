"""`recurrency new`: a file with your own cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recurrency import library, load
from recurrency.graph.text import graph_text
from recurrency.language.elaboration.elaborate import check
from recurrency.language.writing.format import format_file
from recurrency.model.spec import Spec
from tests.support.calling import Outcome, Run

OWN = """\
# The head of the file.

use Linear from library
use Below from "parts/below.rnn"

# Twice as much.
fn double(a) = two(a)

fn two(a) = 2 * a  # behind it
fn unused(a) = a

cell Inner[H](x: [H]) -> (y: [H]) {
    y = double(x)
}

cell Idle[H](x: [H]) -> (y: [H]) {
    y = x
}

# Above the cell.

cell Outer[H](x: [H]) -> (y: [H]) {
    # Inside.
    y = Inner(Below(Linear[H](x)))
}
"""
BELOW = "cell Below[H](x: [H]) -> (y: [H]) {\n    y = tanh(x)\n}\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a user's, in the folder in which commands are called."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "parts" / "below.rnn").write_text(BELOW, encoding="utf-8")
    (tmp_path / "own.rnn").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own.rnn"


@pytest.fixture
def refused(run: Run, own: Path) -> Callable[..., str]:
    """Calls `recurrency new` and gives its complaint, once it is sure that nothing was written."""

    def call(*arguments: str) -> str:
        before = sorted(own.parent.rglob("*"))
        shown = run("new", *arguments)
        assert (shown.code, shown.out) == (1, "")
        assert sorted(own.parent.rglob("*")) == before
        return shown.err

    return call


def meaning(spec: Spec) -> list[str]:
    """The graph, less the places of the text."""
    return [line.partition("   # ")[0] for line in graph_text(check(spec.definition).graph).splitlines()]


@pytest.mark.parametrize("name", library.names())
def test_a_copy_of_a_shipped_cell_means_the_same(run: Run, own: Path, name: str) -> None:
    assert run("new", "Mine", "--from", name) == Outcome(0, "wrote Mine.rnn\n", "")
    text = Path("Mine.rnn").read_text(encoding="utf-8")
    copy = load("Mine.rnn")
    assert (copy.name, [cell.name for cell in copy.file.cells]) == ("Mine", ["Mine"])
    assert copy.doc == library.spec(name).doc
    assert meaning(copy) == meaning(library.spec(name))
    assert text.startswith(f"# Mine starts as a copy of {name} (")
    assert format_file(text, "Mine.rnn") == text


def test_a_copy_has_the_comments_of_its_cell_but_not_the_head_of_the_file(run: Run, own: Path) -> None:
    run("new", "Mine", "--from", "RGLRU")
    text = Path("Mine.rnn").read_text(encoding="utf-8")
    assert "# V brings the input to the size of the state" in text
    assert "Linear recurrences whose eigenvalues" not in text


def test_a_copy_has_all_that_it_needs_and_nothing_else(run: Run, own: Path) -> None:
    run("new", "Mine", "--from", "own.rnn")
    assert (
        Path("Mine.rnn").read_text(encoding="utf-8")
        == """\
# Mine starts as a copy of Outer (own.rnn).

use Below from "parts/below.rnn"
use Linear from library

# Twice as much.
fn double(a) = two(a)

fn two(a) = 2 * a  # behind it

cell Inner[H](x: [H]) -> (y: [H]) {
    y = double(x)
}

# Above the cell.

cell Mine[H](x: [H]) -> (y: [H]) {
    # Inside.
    y = Inner(Below(Linear[H](x)))
}
"""
    )


def test_a_comment_directly_above_the_first_cell_is_its_own(run: Run, own: Path) -> None:
    own.write_text(f"# About Below.\n{BELOW}", encoding="utf-8")
    run("new", "Mine", "--from", "own.rnn")
    assert "# About Below.\ncell Mine" in Path("Mine.rnn").read_text(encoding="utf-8")


def test_a_copy_can_be_made_of_a_copy(run: Run, own: Path) -> None:
    run("new", "One", "--from", "own.rnn:Inner")
    run("new", "Two", "--from", "One.rnn")
    assert meaning(load("Two.rnn")) == meaning(load("own.rnn", "Inner"))


def test_a_copy_elsewhere_uses_no_file_that_is_out_of_its_reach(refused: Callable[..., str]) -> None:
    assert "write the copy there: -o " in refused("Mine", "--from", "own.rnn", "-o", "other")


def test_a_copy_names_files_as_they_lie_from_its_folder(run: Run, own: Path) -> None:
    run("new", "Mine", "--from", "own.rnn", "-o", "parts")
    assert 'use Below from "below.rnn"\n' in Path("parts/Mine.rnn").read_text(encoding="utf-8")


def test_a_copy_may_not_take_the_name_of_what_it_uses(refused: Callable[..., str]) -> None:
    assert "Outer uses Inner" in refused("Inner", "--from", "own.rnn")
    assert "Outer uses two" in refused("two", "--from", "own.rnn")


def test_without_an_original_there_is_a_cell_that_compiles(run: Run, own: Path) -> None:
    assert run("new", "Mine") == Outcome(0, "wrote Mine.rnn\n", "")
    text = Path("Mine.rnn").read_text(encoding="utf-8")
    assert format_file(text, "Mine.rnn") == text
    assert max(map(len, text.splitlines())) <= 120
    model = load("Mine.rnn").compile(N=3, H=4)
    assert (model.spec.name, sorted(model.states)) == ("Mine", ["h"])
    assert run("show", "Mine.rnn").code == 0


@pytest.mark.parametrize("output", ["parts", "parts/Mine.rnn"])
def test_the_file_may_lie_elsewhere(run: Run, own: Path, output: str) -> None:
    assert run("new", "Mine", "-o", output).out == "wrote parts/Mine.rnn\n"
    assert load("parts/Mine.rnn").name == "Mine"


# -------------------------------------------------------------------------------------------------------- wrong calls


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("LSTM", "LSTM is a shipped cell"),
        ("tanh", "tanh is a function of the language"),
        ("my.rnn", "recurrency new my -o my.rnn"),
        ("my-cell", "my_cell can"),
        ("2nd", "no digit first"),
        ("", "can't be the name of a cell"),
        ("../x", "can't be the name of a cell"),
        ("A[H](x: [H]) -> (y: [H]) { y = x } cell B", "can't be the name of a cell"),
        ("state", "the language needs the word"),
        ("t", "the language needs the word"),
        ("σ", "the language needs the word"),
        ("x" * 300, "can't be the name of a cell"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}b", "it is read as Ab"),
    ],
)
def test_a_name_that_no_cell_can_have_is_refused(refused: Callable[..., str], name: str, said: str) -> None:
    assert said in refused(name)


@pytest.mark.parametrize("origin", ["lstm", "LTSM", "LSTMs"])
def test_an_unknown_original_is_met_with_the_nearest(refused: Callable[..., str], origin: str) -> None:
    assert "did you mean LSTM" in refused("Mine", "--from", origin)


def test_an_original_with_mistakes_is_not_copied(refused: Callable[..., str], own: Path) -> None:
    own.write_text(OWN.replace("Below(Linear[H](x))", "Belwo(x)"), encoding="utf-8")
    assert "did you mean Below?" in refused("Mine", "--from", "own.rnn")


@pytest.mark.parametrize("arguments", [("own",), ("Mine", "-o", "own.rnn"), ("Mine", "--from", "GRU", "-o", "own.rnn")])
def test_no_file_is_overwritten(refused: Callable[..., str], own: Path, arguments: tuple[str, ...]) -> None:
    assert "own.rnn already exists" in refused(*arguments)
    assert own.read_text(encoding="utf-8") == OWN


@pytest.mark.parametrize(("output", "said"), [("mine.txt", "-o mine.rnn"), ("none/mine.rnn", "can't be written")])
def test_a_file_that_can_not_be_is_refused(refused: Callable[..., str], output: str, said: str) -> None:
    assert said in refused("Mine", "-o", output)
