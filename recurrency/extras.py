"""What to install for an optional feature, as a command that works where the message is read."""

from __future__ import annotations

import os
import shlex
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder that contains this package: the checkout, or `site-packages`."""


@cache
def in_checkout() -> bool:
    """Whether this package runs from its source tree: a checkout, or an unpacked archive of the sources."""
    return (ROOT / "pyproject.toml").is_file() and (ROOT / "grammars").is_dir()


def install(extra: str, *options: str) -> str:
    """The command that installs an extra of `pyproject.toml`, such as `pip install 'recurrency[torch]'`.

    In a checkout it names the checkout, since the package need not be on an index: `pip install --editable '.[torch]'`.
    The quotes are those of the user's shell: zsh expands brackets, and Windows knows double quotes only.
    """
    if not in_checkout():
        return " ".join(("pip install", *options, _quoted(f"recurrency[{extra}]")))
    return " ".join(("pip install", *options, "--editable", _quoted(f"{_place()}[{extra}]")))


def _place() -> str:
    """The checkout, as seen from the current folder."""
    try:
        return "." if Path.cwd() == ROOT else str(ROOT)
    except OSError:  # the current folder was deleted
        return str(ROOT)


def _quoted(text: str) -> str:
    return f'"{text}"' if os.name == "nt" else shlex.quote(text)
