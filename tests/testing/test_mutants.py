"""The plan of `make mutants`: what is planted, what counts as noticed, and that the sources stay as they are."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.mutants import Changes, Mutant
from tests.mutants import __main__ as tool
from tests.mutants.tree import LEFT_OUT, LINKED, ROOT, Outcome, Tree, word

FILE = "recurrency/graph/draws.py"

WORDS = {"9": "failed", "8": "late", "7": "interrupted"}


class Copy:
    """A tree of one file, whose tests end as its digits say; `loaded` ones are late with and without a mutant."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, 0
        self.files = {FILE: "ROUNDS = 10\nBITS = 24\nBITS = 24\n"}

    def text(self, file: str) -> str:
        return self.files[file]

    def write(self, file: str, text: str) -> None:
        self.files[file] = text

    def tests(self, asked: str, limit: float) -> Outcome:
        self.runs += 1
        text = self.files[FILE]
        if asked == "broken" or (asked == "loaded" and self.runs > 1):
            return Outcome("failed" if asked == "broken" else "late", 0.1, "")
        return Outcome(next((word for digit, word in WORDS.items() if digit in text), "passed"), 0.1, "")


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
    assert tool.Session(tmp_path / "out", tree).mutant(mutant) == word
    assert tree.runs == done  # known: not run again


@pytest.mark.parametrize(("new", "tests"), [("ROUNDS = 7", "t"), ("ROUNDS = 8", "loaded")])
def test_what_ended_from_outside_says_nothing_and_is_tried_again(new: str, tests: str, tmp_path: Path) -> None:
    tree: Any = Copy(tmp_path)
    mutant = Mutant("a name", FILE, "ROUNDS = 10", new, tests)
    session = tool.Session(tmp_path / "out", tree)
    assert session.mutant(mutant) == "interrupted"
    assert not session.seconds
    done = tree.runs
    assert tool.Session(tmp_path / "out", tree).mutant(mutant) == "interrupted"
    assert tree.runs > done


@pytest.mark.parametrize(
    ("code", "said", "wanted"),
    [
        (0, "", "passed"),
        (1, "", "failed"),
        (2, "Interrupted: 1 error during collection", "failed"),
        (2, "! KeyboardInterrupt !", "interrupted"),
        (5, "", "none"),
        (-signal.SIGSEGV, "", "failed"),
        (-signal.SIGABRT, "", "failed"),
        (-signal.SIGTERM, "", "interrupted"),
        (-signal.SIGKILL, "", "interrupted"),
    ],
)
def test_a_crash_is_the_mutants_own_and_a_kill_is_not(code: int, said: str, wanted: str) -> None:
    assert word(code, said) == wanted


def test_what_is_known_holds_for_the_sources_and_the_tests_that_were_asked_for(tmp_path: Path) -> None:
    (tmp_path / "tests" / "room").mkdir(parents=True)
    for name in ("test_a.py", "test_b.py", "room/test_c.py", "help.py"):
        (tmp_path / "tests" / name).write_text("from tests.room.test_c import x\n" if name == "test_a.py" else "")
    before = tool.sources(tmp_path, "tests/test_a.py -k x")
    (tmp_path / "tests" / "test_b.py").write_text("x = 1")
    assert tool.sources(tmp_path, "tests/test_a.py -k x") == before
    for name in ("room/test_c.py", "help.py", "test_a.py"):
        (tmp_path / "tests" / name).write_text("x = 1\n")
        last, before = before, tool.sources(tmp_path, "tests/test_a.py -k x")
        assert last != before, name


def test_there_are_many_and_no_two_alike() -> None:
    found = tool.mutants()
    assert len({(m.file, m.old, m.new) for m in found}) == len({(m.file, m.name) for m in found}) == len(found) >= 100
    assert len({m.file for m in found}) >= 20
    assert all((ROOT / m.file).is_file() for m in found)
    assert all((ROOT / word).is_file() for m in found for word in m.tests.split() if word.startswith("tests/"))


def test_the_text_of_every_mutant_stands_in_its_file_once() -> None:
    texts = {m.file: (ROOT / m.file).read_text(encoding="utf-8") for m in tool.mutants()}
    stale = [f"{m.file}: {m.name}" for m in tool.mutants() if texts[m.file].count(m.old) != 1 or m.old == m.new]
    assert not stale, "\n".join(stale)


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
        "from recurrency.graph import draws\n\ndef test_rounds() -> None:\n    assert draws.ROUNDS == 10\n"
    )
    assert tree.tests("tests/test_one.py", 100.0).word == "failed"
    assert "ROUNDS = 10" in (ROOT / FILE).read_text(encoding="utf-8")
