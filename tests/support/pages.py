"""What the tests of the documentation share."""

from __future__ import annotations

import re

FENCE = re.compile(r"^```(?P<kind>[\w-]+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
"""A piece of a page between two lines of back quotes."""
NUMBER = re.compile(r"-?\d[\d,.]*(?:e[+-]?\d+)?")
MORE = "…"
"""A line for lines that are left out."""


def shape(line: str, exact: bool = False) -> str:
    """A line without what aligns it and, unless it is exact, without its numbers, which differ between machines."""
    return " ".join((line if exact else NUMBER.sub("#", line)).split())


def printed(wanted: str, said: str, exact: bool = False) -> None:
    """Every line of the page was printed, in this order."""
    lines = [shape(line, exact) for line in said.splitlines()]
    at = 0
    for line in wanted.splitlines():
        if line != MORE and line.strip():
            assert shape(line, exact) in lines[at:], f"{line!r} was not printed, or at another place:\n{said}"
            at = lines.index(shape(line, exact), at) + 1
