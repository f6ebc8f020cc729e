"""Letters of any alphabet as LaTeX that needs no package: a command where there is one, else the name of the letter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

LOWER = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu "
    "nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
)
UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
GREEK = {name: f"\\{name}" for name in f"{LOWER} {UPPER}".split()} | {"omicron": "o"}
SIGNS = {
    **dict(zip("αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", GREEK.values(), strict=True)),
    **{capital: f"\\mathrm{{{latin}}}" for capital, latin in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True)},
    **dict(zip("ςıȷℵ", ("\\varsigma", "\\imath", "\\jmath", "\\aleph"), strict=True)),
}
"""Letters that have a command; capitals that look like Latin ones stand upright."""
MARKS = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030c",
        "grave acute hat tilde bar breve dot ddot mathring check".split(),
        strict=True,
    )
)
ACCENTS = {name: name for name in ("hat", "tilde", "bar", "dot", "ddot", "vec")} | MARKS
"""Endings of names and combining marks that are worn as an accent."""
LONGEST_NAME = 16


def clusters(word: str) -> Iterator[tuple[str, str]]:
    """Each letter with the marks that combine with it, all taken apart (NFD)."""
    letter, marks = "", ""
    for char in unicodedata.normalize("NFD", word):
        if letter and unicodedata.combining(char):
            marks += char
            continue
        if letter:
            yield letter, marks
        letter, marks = char, ""
    if letter:
        yield letter, marks


@lru_cache(maxsize=1024)
def letter(char: str, marks: str = "") -> str:
    """One letter or digit, in italics where it is a Latin one, with its accents."""
    if any(mark not in ACCENTS for mark in marks):
        return f"\\mathrm{{{spelt(unicodedata.normalize('NFC', char + marks))}}}"
    if char.isdecimal():
        base = str(unicodedata.decimal(char))
    elif char.isascii():
        base = char
    else:
        base = SIGNS.get(char) or f"\\mathrm{{{spelt(char)}}}"
    for mark in marks:
        base = f"\\{ACCENTS[mark]}{{{base}}}"
    return base


def spelt(text: str) -> str:
    """Letters by the names that Unicode has for them, or by their numbers: `zhe`, `u5B66`."""
    return "".join(_name(char) for char in text)


def _name(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    words = unicodedata.name(char, "").replace("-", " ").split()
    kept = words[words.index("LETTER") + 1 :] if "LETTER" in words else words
    name = re.sub("[^A-Za-z0-9]", "", "".join(w for w in kept if w != "WITH").lower())
    if not name or len(name) > LONGEST_NAME or "ideograph" in name:
        return f"u{ord(char):X}"
    return name.capitalize() if "CAPITAL" in words else name


def word(text: str, style: str) -> str:
    """Several letters as one word in a style (`mathit`, `mathrm`), other alphabets letter by letter."""
    if text.isascii():
        return f"\\{style}{{{text}}}"
    parts = [letter(char, marks) for char, marks in clusters(text)]
    joined = "".join(f"{{{part}}}" if len(part) > 1 else part for part in parts)
    return f"{{{joined}}}"
