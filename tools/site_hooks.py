"""What mkdocs can't read from docs/ alone: hooks that `mkdocs.yml` names, so that pages stay readable in a repository.

They add pages (README.md as the front page, those of `site_pages`), turn links to files outside of the site into links
to the repository, name the file of a code block in its title, and write formulas as MathML, which needs no script.
"""

from __future__ import annotations

import html
import os
import re
import runpy
import tomllib
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import site_pages
from latex2mathml.converter import convert

ROOT = Path(__file__).resolve().parents[1]
SOURCE: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]
LINK: re.Pattern[str] = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["LINK"]
FENCE = re.compile(r"^```(?P<kind>rnn|python|toml|c|json|lua|sh|text)[\w-]* (?P<name>\S+)$", re.MULTILINE)
BOUND = re.compile(r"\[(x[<>]=?\d+)\](?= \|)")
"""What the help of commands says of numbers, where mkdocs sees a reference."""
UNNAMED = re.compile(r"^```rnn-\w+$", re.MULTILINE)
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<kind>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
FROM_ROOT = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that are files at the root of the repository."""
FONT = "STIXTwoMath-Regular.ttf"
"""The font of formulas, which ziamath brings (SIL Open Font License)."""
SHOWN = (".md", ".svg", ".png")
"""Files of docs/ that are part of the site."""


def on_startup(command: str, dirty: bool) -> None:
    """Diagrams of all cells take a minute: they are left out while somebody writes."""
    site_pages.DIAGRAMS = command == "build" and not dirty


def on_config(config: Any) -> Any:
    """The links to the repository, and the navigation in full."""
    config.repo_url, config.repo_name = SOURCE, SOURCE.rpartition("/")[2]
    config.nav = whole(config.nav)
    return config


def pages() -> set[str]:
    """The paths of all pages, those that are written here among them."""
    docs = ROOT / "docs"
    found = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    return found | set(FROM_ROOT) | set(site_pages.written())


def whole(items: list[Any]) -> list[Any]:
    """A part of the navigation, with the pages of folders, without pages that are not there."""
    known = pages()
    out: list[Any] = []
    for item in items:
        title, place = next(iter(item.items())) if isinstance(item, dict) else (None, item)
        if isinstance(place, list):
            out.append({title: whole(place)})
        elif place.endswith("/"):
            inside = sorted(page for page in known if page.startswith(place))
            out += [{title: inside}] if title else inside
        elif place in known:
            out.append(item)
    return out


def on_files(files: Any, config: Any) -> Any:
    """The pages that are not files of docs/."""
    from mkdocs.structure.files import File

    for path, name in FROM_ROOT.items():
        files.append(File.generated(config, path, content=(ROOT / name).read_text(encoding="utf-8")))
    for path, write in site_pages.written().items():
        files.append(File.generated(config, path, content=write()))
    for path, text in site_pages.diagrams().items():
        files.append(File.generated(config, path, content=text))
    font = resources.files("ziamath.fonts") / FONT
    files.append(File.generated(config, FONT, content=font.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page in the form that the site needs."""
    path = page.file.src_uri
    if path == "index.md":
        page.meta["hide"] = ["navigation"]  # nothing else is in its part
    text = BOUND.sub(r"\\[\1\\]", markdown)
    return titled(linked(text, path, FROM_ROOT.get(path, f"docs/{path}")))


def titled(text: str) -> str:
    """A block ```` ```rnn lstm.rnn ```` has the name of its file as its title."""
    named = FENCE.sub(lambda m: f'```{m["kind"]} title="{m["name"]}"', text)
    return UNNAMED.sub("```rnn", named)


def linked(text: str, page: str, origin: str) -> str:
    """Links as the page of the site needs them; `origin` is the file of the repository in which they stand."""
    to_site = {name: path for path, name in FROM_ROOT.items()}

    def leads(match: re.Match[str]) -> str:
        target = match["target"]
        if target is None or target.startswith("#") or re.match(r"\w+:", target):
            return match[0]
        path, mark, anchor = target.partition("#")
        place = PurePosixPath(os.path.normpath(PurePosixPath(origin).parent / path)).as_posix()
        if not (ROOT / place).exists():
            return match[0]  # mkdocs says so
        return f"{match['head']}{_within(place, page, to_site)}{mark}{anchor})"

    return LINK.sub(leads, text)


def _within(place: str, page: str, to_site: dict[str, str]) -> str:
    """How a page refers to a file of the repository: by its place in the site, or in the repository."""
    inside = to_site.get(place) or place.removeprefix("docs/") * place.startswith("docs/")
    if inside.endswith(".ipynb"):
        inside = PurePosixPath(inside).with_suffix(".md").as_posix()
    if inside.endswith(SHOWN):
        return os.path.relpath(inside, PurePosixPath(page).parent)
    return f"{SOURCE}/{'tree' if (ROOT / place).is_dir() else 'blob'}/main/{place}"


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML."""
    return FORMULA.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    display = "inline" if match["kind"] == "(" else "block"
    return f'<{match["tag"]} class="formula">{convert(html.unescape(match["tex"]), display=display)}</{match["tag"]}>'
