"""The documentation as a site: every page has its place, every public name is on a page, links are checked.

`make docs` builds all of it; what is tested here needs no mkdocs.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import recurrency as rc
from recurrency import testing
from recurrency.inspection.catalogue import families

ROOT = Path(__file__).resolve().parents[2]
PAGES = runpy.run_path(str(ROOT / "tools" / "site_pages.py"))
LINKS = runpy.run_path(str(ROOT / "tools" / "site_links.py"))
NAVIGATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]


def test_every_page_has_its_place_in_the_navigation() -> None:
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    placed = set(re.findall(r"[\w/-]+\.md", NAVIGATION))
    folders = tuple(re.findall(r"[\w-]+/$", NAVIGATION, re.MULTILINE))
    assert {page for page in pages if not page.startswith(("editors/", *folders))} <= placed


def test_every_public_name_is_on_a_page() -> None:
    names = {name for _, _, names in PAGES["API"].values() for name in names}
    assert {name for name in dir(rc) if not name.startswith("__")} <= names


def test_what_a_page_documents_exists() -> None:
    for name in (name for _, _, names in PAGES["API"].values() for name in names):
        if name not in dir(rc):
            home, _, last = f"recurrency.{name}".rpartition(".")
            module = __import__(home, fromlist=[last])
            assert hasattr(module, last) or __import__(f"recurrency.{name}"), name
    assert testing.__all__


def test_every_cell_is_on_the_page_of_its_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGES["diagrams"].__wrapped__.__globals__, "DIAGRAMS", False)
    (family,) = families(["minimal.rnn"])
    page = PAGES["cells"](family)
    for cell in family.cells:
        assert f"\n## {cell.name}\n" in page
        assert rc.library.spec(cell.name).cell.span.text in page
        assert rc.library.spec(cell.name).latex() in page
    assert {f"cells/{family.name}.md" for family in families()} <= set(PAGES["written"]())


def test_a_broken_link_and_a_missing_anchor_are_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<a href="b.html#there">1</a><a href="b.html#lost">2</a><a href="c.html">3</a><a href="#no">4</a>'
        '<a href="https://example.org/x#y">5</a><img src="lost.png"><a href="x: [N]">6</a>'
    )
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1><a href="index.html">back</a>')
    assert LINKS["broken"](tmp_path) == [
        f"index.html: {link}" for link in ("b.html#lost", "c.html", "#no", "lost.png", "x: [N]")
    ]
    assert LINKS["elsewhere"](tmp_path)[0] == "https://example.org/x"
