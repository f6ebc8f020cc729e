"""The commit and the machine that a number is told with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from recurrency.reproducing.machine import CODE, source


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a file of code and a page."""
    git(tmp_path, "init", "-q")
    for name in ("recurrency/graph.py", "docs/papers.md"):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text("1\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return tmp_path


def test_a_number_is_told_with_its_commit(checkout: Path) -> None:
    assert source(checkout) == git(checkout, "rev-parse", "--short=12", "HEAD")


def test_a_page_that_is_written_while_runs_go_on_is_no_change(checkout: Path) -> None:
    (checkout / "docs/papers.md").write_text("2\n", encoding="utf-8")
    (checkout / "docs/kept.txt").write_text("2\n", encoding="utf-8")
    assert "with changes" not in source(checkout)


@pytest.mark.parametrize("name", ["recurrency/graph.py", "recurrency/new.py", "specs/new.rnn"])
def test_changed_and_new_code_is_a_change(checkout: Path, name: str) -> None:
    file = checkout / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("2\n", encoding="utf-8")
    assert source(checkout).endswith(" with changes")


def test_without_a_checkout_the_version_is_told(tmp_path: Path) -> None:
    assert source(tmp_path).startswith("recurrency ")


def test_the_code_is_where_it_is_said_to_be() -> None:
    root = Path(__file__).resolve().parents[2]
    assert [name for name in CODE if not (root / name).exists()] == []
