"""What `pyproject.toml` can't say: the page on the package index is README.md with absolute links.

In a checkout, links are relative. The index shows the page alone, so there they lead to the files of this version in
the repository that `pyproject.toml` names as `Source`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LINK = re.compile(
    r"(?P<code>^```.*?^```$|`[^`\n]+`(?!\]))|(?P<head>!?\[(?:`[^`\n]+`|[^\[\]`])*\]\()(?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
"""A link; or code, in which brackets and parentheses are no link."""


def absolute(text: str, home: str, version: str) -> str:
    """The page with absolute links to the files of a version; links within the page stay as they are."""

    def leads(match: re.Match[str]) -> str:
        target = match["target"]
        if target is None or target.startswith("#") or re.match(r"\w+:", target):
            return match[0]
        kind = "raw" if match["head"].startswith("!") else "blob"
        return f"{match['head']}{home}/{kind}/v{version}/{target})"

    return LINK.sub(leads, text)


def page() -> str:
    """README.md, as the package index gets it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = re.search(r'^VERSION = "(.+)"$', (ROOT / "recurrency" / "version.py").read_text("utf-8"), re.MULTILINE)
    assert version is not None, "recurrency/version.py has no line VERSION = ..."
    return absolute((ROOT / "README.md").read_text(encoding="utf-8"), project["urls"]["Source"], version[1])


if __name__ == "__main__":
    from setuptools import setup

    setup(long_description=page(), long_description_content_type="text/markdown")
