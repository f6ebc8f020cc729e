"""Check every link of a built site: its file and its anchor. Links to other sites are listed, not followed.

python tools/site_links.py site
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

TARGETS = {"a": "href", "area": "href", "iframe": "src", "img": "src", "link": "href", "script": "src", "source": "src"}
"""The attribute with which an element names another file."""


@dataclass
class Page:
    """What a page links to, and the anchors that it has."""

    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)


class Reader(HTMLParser):
    """Reads a page."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to, and by which names it is linked to."""
        found = dict(attrs)
        if target := found.get(TARGETS.get(tag, "")):
            self.page.links.append(target)
        self.page.anchors.update(name for name in (found.get("id"), found.get("name")) if name)


def read(file: Path) -> Page:
    """The page of a file."""
    reader = Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return reader.page


def outside(link: str) -> bool:
    """Whether a link leaves the site."""
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def broken(site: Path) -> list[str]:
    """Each link of the site that leads nowhere, with the page that has it."""
    pages = {file.resolve(): read(file) for file in sorted(site.rglob("*.html"))}
    out = []
    for file, page in pages.items():
        here = file.parent if file.name != "404.html" else site.resolve()
        for link in dict.fromkeys(page.links):
            if outside(link):
                if " " in link:
                    out.append(f"{file.relative_to(site.resolve())}: {link}")
                continue
            parts = urlsplit(link)
            place = (here / unquote(parts.path)).resolve() if parts.path else file
            place = place / "index.html" if place.is_dir() else place
            anchor = unquote(parts.fragment)
            lost = not place.is_file() or (anchor and place in pages and anchor not in pages[place].anchors)
            if lost and not link.startswith("/"):
                out.append(f"{file.relative_to(site.resolve())}: {link}")
    return out


def elsewhere(site: Path) -> list[str]:
    """The addresses outside of the site, without anchors, and what is in no address."""
    links = (link for file in site.rglob("*.html") for link in read(file).links)
    return sorted({link.partition("#")[0] for link in links if outside(link) and not link.startswith("data:")})


def main() -> int:
    """The exit code of the command."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "index.html").is_file():
        print(__doc__, file=sys.stderr)
        return 2
    site = Path(sys.argv[1])
    listed, found = elsewhere(site), broken(site)
    print(f"{len(listed)} addresses outside of the site, not followed:", *listed, sep="\n  ")
    print(f"{len(found)} broken links", *found, sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
