"""The plan of `make mutants`: what is planted, what counts as noticed, and that the sources stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mutants import Changes, Mutant
from tests.mutants import __main__ as tool
from tests.mutants.tree import LEFT_OUT, LINKED, ROOT, Outcome, Tree

FILE = "recurrency/draws.py"


class Copy:
    """A tree of one file, whose tests fail where the text has a 9 in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, 0
        self.files = {FILE: "ROUNDS = 10\nBITS = 24\nBITS = 24\n"}

    def text(self, file: str) -> str:
        return self.files[file]

    def write(self, file: str, text: str) -> None:
        self.files[file] = text

    def tests(self, asked: str, limit: float) -> Outcome:
        self.runs += 1
        word = (
            "failed"
            if "9" in self.files[FILE] or asked == "broken"
            else "late"
            if "8" in self.files[FILE]
            else "passed"
        )
        return Outcome(word, 0.1, "")


@pytest.mark.parametrize(
    ("old", "new", "tests", "same", "word"),
    [
        ("ROUNDS = 10", "ROUNDS = 9", "t", "", "killed"),
        ("ROUNDS = 10", "ROUNDS = 8", "t", "", "killed"),
        ("ROUNDS = 10", "ROUNDS = 11", "t", "", "survived"),
        ("ROUNDS = 10", "ROUNDS = 10.0", "t", "an equal number", "same"),
        ("ROUNDS = 12", "ROUNDS = 9", "t", "", "stale"),
        ("BITS = 24", "BITS = 9", "t", "", "stale"),
        ("ROUNDS = 10", "ROUNDS = 9", "broken", "", "untested"),
    ],
)
def test_a_mutant_is_judged_by_its_tests_alone(
    old: str, new: str, tests: str, same: str, word: str, tmp_path: Path
) -> None:
    tree: Any = Copy(tmp_path)
    before = dict(tree.files)
    mutant = Mutant("a name", FILE, old, new, tests, same)
    assert tool.Session(tmp_path / "out", tree).mutant(mutant) == word
    assert tree.files == before
    done = tree.runs
    assert tool.Session(tmp_path / "out", tree).mutant(mutant) == word  # known: not run again
    assert tree.runs == done


def test_there_are_many_and_no_two_alike() -> None:
    found = tool.mutants()
    assert len({(m.file, m.old, m.new) for m in found}) == len({(m.file, m.name) for m in found}) == len(found) >= 100
    assert len({m.file for m in found}) >= 20
    assert all((ROOT / m.file).is_file() for m in found)
    assert all((ROOT / word).is_file() for m in found for word in m.tests.split() if word.startswith("tests/"))


def test_a_row_may_have_tests_of_its_own() -> None:
    rows = (("one", "a", "b"), ("two", "c", "d", "other"), ("three", "e", "f", "", "why"))
    found = Changes("file", "usual", rows).mutants()
    assert [(m.tests, m.same) for m in found] == [("usual", ""), ("other", ""), ("usual", "why")]


def test_the_copy_is_found_before_the_sources(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree")
    assert all((tree.folder / "recurrency" / name / "__init__.py").is_file() for name in LINKED if name != "specs")
    assert not any((tree.folder / name).exists() for name in LEFT_OUT)
    tree.write(FILE, tree.text(FILE).replace("ROUNDS = 10", "ROUNDS = 9"))
    (tree.folder / "tests" / "test_one.py").write_text(
        "from recurrency import draws\n\ndef test_rounds() -> None:\n    assert draws.ROUNDS == 10\n"
    )
    assert tree.tests("tests/test_one.py", 100.0).word == "failed"
    assert "ROUNDS = 10" in (ROOT / FILE).read_text(encoding="utf-8")
