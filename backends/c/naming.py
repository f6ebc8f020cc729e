"""Names and comments in files of C for other programs."""

from __future__ import annotations

from ..names import ascii_name


def prefix_of(cell: str) -> str:
    """The prefix of a cell's functions: its name in lower case, unless helpers begin like that."""
    word: str = ascii_name(cell).lower()
    return f"cell_{word}" if word == "rec" or word.startswith(("rec_", "cell_")) else word


def constant(prefix: str, word: str) -> str:
    """The name of a constant; no macro of a header ends like this."""
    return f"{prefix.upper()}_{word}_"


def commented(text: str) -> str:
    """Any text as a comment of C."""
    safe = "".join(c if (c.isprintable() and c.isascii()) or c == "\n" else "?" for c in text)
    return "/* " + safe.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?") + " */"
