"""How names and functions look in print: `W_i` has an index, `h_tilde` wears a tilde, `alpha` is a Greek letter."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

LOWER = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu "
    "nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
)
UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
GREEK = {name: f"\\{name}" for name in f"{LOWER} {UPPER}".split()}
SIGNS = dict(zip("αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", GREEK.values(), strict=True))
ACCENTS = {
    "hat": "hat", "tilde": "tilde", "bar": "bar", "dot": "dot", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar",
    "\u0307": "dot", "\u0308": "ddot",
}  # fmt: skip

FUNCTIONS = {
    **{name: f"\\{name}" for name in ("tanh", "exp", "log", "max", "min", "sin", "cos")},
    "sigmoid": "\\sigma",
    "relu": "\\operatorname{ReLU}",
    "prelu": "\\operatorname{PReLU}",
    "elu": "\\operatorname{ELU}",
    "gelu": "\\operatorname{GELU}",
    "silu": "\\operatorname{SiLU}",
    "log_softmax": "\\log\\operatorname{softmax}",
    "layer_norm": "\\operatorname{LayerNorm}",
    "rms_norm": "\\operatorname{RMSNorm}",
}
COMPARISONS = {
    "==": "=", "!=": "\\neq", "<": "<", "<=": "\\leq", ">": ">", ">=": "\\geq", "and": "\\wedge", "or": "\\vee",
}  # fmt: skip


def letters(word: str) -> str:
    """A word without underscores: a Greek letter by its name, one letter in italics, several as one word."""
    if word in GREEK:
        return GREEK[word]
    bare = unicodedata.normalize("NFD", word)
    accents = [ACCENTS[c] for c in bare if c in ACCENTS]
    if accents and len(bare) == 2:
        return f"\\{accents[0]}{{{letters(bare[0])}}}"
    if len(word) == 1:
        return SIGNS.get(word, word)
    return word if word.isdecimal() else f"\\mathit{{{word}}}"


def split_name(name: str) -> tuple[str, list[str]]:
    """The letters and indices of a name: `W`, `[i]` of `W_i`, `x`, `[2]` of `x2`, `\\tilde{h}`, `[]` of `h_tilde`."""
    word, *indices = [part for part in name.split("_") if part] or ["?"]
    digits = re.fullmatch(r"(\D)(\d+)", word)
    if digits:
        word, indices = digits[1], [digits[2], *indices]
    base = letters(word)
    for accent in [i for i in indices if i in ACCENTS]:
        base = f"\\{ACCENTS[accent]}{{{base}}}"
    return base, [index_letters(i) for i in indices if i not in ACCENTS]


def index_letters(word: str) -> str:
    """An index that is part of a name: words stand upright."""
    return letters(word) if len(word) == 1 or word in GREEK or word.isdecimal() else f"\\mathrm{{{word}}}"


def symbol(name: str, time: str = "", members: str = "") -> str:
    """A name in print, with the member of its family above and its indices and the time below."""
    base, indices = split_name(name)
    below = ",".join([*indices, *([time] if time else [])])
    return base + (f"^{{({members})}}" if members else "") + (f"_{{{below}}}" if below else "")


def operator(name: str) -> str:
    """A function or a cell in print."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if len(name) == 1:
        return letters(name)
    return f"\\operatorname{{{name.replace('_', '-')}}}"


def number(value: int | float) -> str:
    """A number in print: `1e-4` is ten to the minus four."""
    if isinstance(value, int) or value == 0 or 0.01 <= abs(value) < 1e6:
        return repr(value)
    mantissa, exponent = f"{Decimal(repr(value)).normalize():E}".split("E")
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else f"{mantissa} \\cdot {power}"


def bracketed(inside: str) -> str:
    """In round brackets, which grow with what stands in them."""
    tall = any(word in inside for word in ("\\frac", "\\sum", "\\begin", "\\left"))
    return f"\\left({inside}\\right)" if tall else f"({inside})"
