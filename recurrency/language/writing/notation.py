"""How names and functions look in print: `W_i` has an index, `h_tilde` wears a tilde, `alpha` is a Greek letter."""

from __future__ import annotations

import re
from decimal import Decimal

from recurrency.language.writing.letters import ACCENTS, GREEK, clusters, letter, spelt, word

FUNCTIONS = {
    **{name: f"\\{name}" for name in ("tanh", "exp", "log", "max", "min", "sin", "cos")},
    "sigmoid": "\\sigma",
    "atan": "\\arctan",
    "leaky_relu": "\\operatorname{LeakyReLU}",
    "gelu_exact": "\\operatorname{GELU}",
    "relu": "\\operatorname{ReLU}",
    "prelu": "\\operatorname{PReLU}",
    "elu": "\\operatorname{ELU}",
    "gelu": "\\operatorname{GELU}",
    "silu": "\\operatorname{SiLU}",
    "log_softmax": "\\log\\operatorname{softmax}",
    "layer_norm": "\\operatorname{LayerNorm}",
    "rms_norm": "\\operatorname{RMSNorm}",
}
MOST_PRIMES = 4
COMPARISONS = {"==": "=", "!=": "\\neq", "<": "<", "<=": "\\leq", ">": ">", ">=": "\\geq"}
COMPARISONS |= {"and": "\\wedge", "or": "\\vee"}


def letters(text: str) -> str:
    """A part of a name: a Greek letter by its name, one letter in italics, several as one word."""
    if text in GREEK:
        return GREEK[text]
    found = list(clusters(text))
    if len(found) == 1:
        return letter(*found[0])
    return digits(text) if text.isdecimal() else word(text, "mathit")


def digits(text: str) -> str:
    """A number in the digits of any alphabet."""
    return "".join(letter(char) for char in text)


def split_name(name: str) -> tuple[str, list[str]]:
    """The letters and indices of a name: `W`, `[i]` of `W_i`, `x`, `[2]` of `x2`, `\\tilde{h}`, `[]` of `h_tilde`."""
    first, *indices = [part for part in name.split("_") if part] or ["?"]
    numbered = re.fullmatch(r"(\D)(\d+)", first)
    if numbered:
        first, indices = numbered[1], [numbered[2], *indices]
    base = letters(first)
    for accent in [i for i in indices if i in ACCENTS]:
        base = f"\\{ACCENTS[accent]}{{{base}}}"
    return base, [index_letters(i) for i in indices if i not in ACCENTS]


def index_letters(text: str) -> str:
    """An index that is part of a name: words stand upright."""
    single = len(list(clusters(text))) == 1
    return letters(text) if single or text in GREEK or text.isdecimal() else word(text, "mathrm")


def symbol(name: str, time: str = "", members: str = "", primes: int = 0) -> str:
    """A name in print, with primes and the member of its family above and its indices and the time below."""
    base, indices = split_name(name)
    below = ",".join([*indices, *([time] if time else [])])
    above = primed(primes) + (f"({members})" if members else "")
    return base + (f"^{{{above}}}" if above else "") + (f"_{{{below}}}" if below else "")


def keyword(name: str) -> str:
    """The name of an argument."""
    return letters(name) if len(name) == 1 else f"\\mathrm{{{upright(name)}}}"


def primed(count: int) -> str:
    """Some primes; of many, their number."""
    return "\\prime" * count if count < MOST_PRIMES else f"\\prime{count}"


def operator(name: str) -> str:
    """A function or a cell in print."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if len(name) == 1:
        return letters(name)
    return f"\\operatorname{{{upright(name)}}}"


def upright(name: str) -> str:
    """A name as it is written, in letters that are known everywhere."""
    return "-".join(spelt(part) for part in name.split("_"))


def number(value: int | float) -> str:
    """A number in print: `1e-4` is ten to the minus four."""
    if isinstance(value, int) or value == 0 or 0.01 <= abs(value) < 1e6:
        return repr(value)
    mantissa, exponent = f"{Decimal(repr(value)).normalize():E}".split("E")
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else f"{mantissa} \\cdot {power}"


def bracketed(inside: str) -> str:
    """In round brackets as high as their content."""
    tall = any(word in inside for word in ("\\frac", "\\sum", "\\begin", "\\left"))
    return f"\\left({inside}\\right)" if tall else f"({inside})"
