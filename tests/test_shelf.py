"""What the package index and a reader without a checkout get: metadata, archives, and messages that can be followed."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import runpy
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recurrency.backends

from recurrency import extras
from recurrency.extras import install
from recurrency.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
SETUP = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")
obstacles: Callable[[str, str, Path], list[str]] = runpy.run_path(str(ROOT / "tools" / "release.py"))["obstacles"]
absolute: Callable[[str, str, str], str] = SETUP["absolute"]
DEVELOPERS = {"test", "bench", "docs", "release"}
"""Extras for work on the package itself."""


# ------------------------------------------------------------------------------------------------------------- messages


def texts() -> Iterator[tuple[str, int, str]]:
    """All texts in the source code of the package, with their file and line."""
    folders = (Path(recurrency.__file__).parent, Path(recurrency.backends.__file__).parent)
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, node.lineno, node.value


def test_only_one_place_writes_how_an_extra_is_installed() -> None:
    found = [f"{n}:{line}" for n, line, t in texts() if re.search(r"pip install.*recurrency\b", t) and n != "extras.py"]
    assert found == [], "use recurrency.extras.install"


def test_every_extra_that_is_recommended_exists() -> None:
    source = [path.read_text(encoding="utf-8") for f in ("recurrency", "backends") for path in (ROOT / f).rglob("*.py")]
    named = {name for text in source for name in re.findall(r"\binstall\([\"']([\w-]+)[\"']", text)}
    assert {"cc", "torch", "plots", "verify"} <= named <= set(PROJECT["optional-dependencies"])


def test_a_checkout_recommends_itself_from_wherever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert install("torch") == "pip install --editable '.[torch]'"
    monkeypatch.chdir(tmp_path)
    assert install("torch", "--upgrade") == f"pip install --upgrade --editable '{ROOT}[torch]'"


def test_an_installed_package_recommends_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "in_checkout", lambda: False)
    assert install("torch") == "pip install 'recurrency[torch]'"
    monkeypatch.setattr(os, "name", "nt")
    assert install("torch") == 'pip install "recurrency[torch]"'


def test_brackets_are_quoted_on_all_pages() -> None:
    """For zsh, which expands them."""
    bare = re.compile(r"(?:pip|uv pip) install(?: --?\w[\w-]*)* [^'\"`\s]*\[")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    assert [p.name for p in pages if bare.search(p.read_text(encoding="utf-8"))] == []


# ------------------------------------------------------------------------------------------------------------- metadata


def test_links_become_absolute_but_code_stays() -> None:
    page = "[`a`](docs/a.md#b) ![p](p.svg) [x](https://x) [top](#top) `f[1](g)`\n```python\ny = f[1](g)\n```\n"
    assert absolute(page, "https://h", "1.2") == (
        "[`a`](https://h/blob/v1.2/docs/a.md#b) ![p](https://h/raw/v1.2/p.svg) [x](https://x) [top](#top) `f[1](g)`\n"
        "```python\ny = f[1](g)\n```\n"
    )


def test_the_page_on_the_index_has_no_relative_link() -> None:
    page = SETUP["page"]()
    assert re.findall(r"\]\((?!https?:|#)[^)\s]*\.(?:md|svg|png|ipynb)[^)]*\)", page) == []
    assert f"{PROJECT['urls']['Source']}/raw/v{VERSION}/docs/pictures/lstm.svg" in page
    assert "y = Linear[1](Cell[H](x))" in page


def test_versions_and_places_agree_wherever_they_are_written() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {VERSION}\n" in citation
    assert f"\nrepository-code: {PROJECT['urls']['Source']}\n" in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    author = PROJECT["authors"][0]["name"]
    assert f"name: {author}\n" in citation
    assert author in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert all(url.startswith(PROJECT["urls"]["Source"]) for url in PROJECT["urls"].values())


def test_the_pythons_of_the_classifiers_are_those_that_a_release_is_tried_on() -> None:
    listed = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)]
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    tried = re.search(r"python: \[(.+)\]", workflow)
    assert tried is not None
    assert re.findall(r"\d\.\d+", tried[1]) == listed
    assert f">={listed[0]}" == PROJECT["requires-python"]


@pytest.mark.parametrize("extra", sorted(set(PROJECT["optional-dependencies"]) - DEVELOPERS))
def test_the_readme_lists_every_extra(extra: str) -> None:
    assert f"| `{extra}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_the_page_of_installation_lists_every_extra(extra: str) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"`{extra}`" in page.partition("\n## Extras\n")[2].partition("\n## ")[0]


# ------------------------------------------------------------------------------------------------------------- archives


def archived() -> list[str]:
    """Patterns of the files that the source archive has: those of MANIFEST.in, and those that setuptools adds."""
    found = ["pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE"]
    found += [f"{folder}/*" for folder in PYPROJECT["tool"]["setuptools"]["package-dir"].values()]
    for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines():
        command, _, rest = line.partition(" ")
        found += [f"{rest}/*"] if command == "graft" else rest.split() if command == "include" else []
    return found


def test_the_source_archive_has_every_file_of_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("the files of the repository: this is no checkout")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], check=True, capture_output=True, text=True).stdout
    patterns = archived()
    assert [f for f in listed.splitlines() if not any(fnmatch.fnmatch(f, p) for p in patterns)] == []


# ------------------------------------------------------------------------------------------------------------- releases

HOME = PROJECT["urls"]["Source"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What `tools/release.py` reads, with a heading of a released version."""
    for name in ("recurrency/version.py", "pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(
            re.sub(rf"^## {VERSION} .*$", f"## {VERSION} (2026-12-31)", text, flags=re.MULTILINE)
        )
    return tmp_path


def test_a_tag_of_the_version_is_ready(tree: Path) -> None:
    assert obstacles(f"v{VERSION}", HOME, tree) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("recurrency/version.py", VERSION, "9.9", f"the tag is v{VERSION}; recurrency/version.py says 9.9"),
        ("CITATION.cff", f"version: {VERSION}", "version: 0.0", f"CITATION.cff has version 0.0, not {VERSION}"),
        ("CITATION.cff", HOME, "https://elsewhere", f"this repository is {HOME}; pyproject.toml says {HOME}"),
        ("CHANGELOG.md", "(2026-12-31)", "(unreleased)", "CHANGELOG.md has no heading"),
    ],
)
def test_a_release_that_says_two_things_is_refused(tree: Path, file: str, old: str, new: str, said: str) -> None:
    path = tree / file
    path.write_text(path.read_text().replace(old, new))
    assert any(one.startswith(said) for one in obstacles(f"v{VERSION}", HOME, tree))


def test_links_that_lead_to_another_repository_are_refused(tree: Path) -> None:
    (found,) = obstacles(f"v{VERSION}", "https://host/somebody/else", tree)
    assert found.startswith("this repository is https://host/somebody/else; pyproject.toml says")
