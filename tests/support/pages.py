"""What the tests of the documentation share."""

from __future__ import annotations

import re

FENCE = re.compile(r"^```(?P<kind>[\w-]+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
"""A piece of a page between two lines of back quotes."""
