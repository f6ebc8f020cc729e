"""Notation of other languages inside expressions: subscripts in braces, lists, slices, signs."""

from __future__ import annotations

from recurrency.errors import Diagnostic
from recurrency.language.diagnostics import MALFORMED_LOOP, UNEXPECTED_WORD
from recurrency.language.reading.fault import Fault
from recurrency.language.reading.fault_words import SIGNS, closing, text_of
from recurrency.language.reading.strays import touching
from recurrency.language.words import opens_line, where


def braces(fault: Fault) -> Diagnostic | None:
    """`h_{t-1}`, `W_{xh}`, `h{t}`."""
    before = fault.before
    if fault.kind != "LBRACE" or before is None or before.type != "NAME" or not touching(fault.words, fault.at):
        return None
    end = closing(fault.words, fault.at)
    if end == fault.at + 1 or fault.words[end].type != "RBRACE":
        return None
    inside = fault.words[fault.at + 1 : end]
    from recurrency.language.vocabulary.table import FUNCTIONS  # needed only for messages

    name, text = str(before).rstrip("_"), text_of(inside, fault.source.text).replace(" ", "")
    place = where(fault.source, before, fault.words[end])
    *others, last = text.split(",")
    index = "_".join(["", *others]) if "t" in {str(w) for w in inside} else ""
    if index or last == "t" or last.startswith(("t-", "t+")) or last == "T":
        step = {"t": "", "T": "[t]"}.get(last, f"[{last}]")
        help = f"a step is an index: write {name}{index}{step}"
        help = f"write last({name}) for the last step" if last == "T" else help
    elif name in FUNCTIONS:
        help = f"the arguments of a function go in round brackets: {name}({text})"
    elif text.isdigit() and text == "0":
        help = (
            f"the initial value of a state is set in its declaration, state {name} : [...] = 0; init({name}) reads it"
        )
    else:
        help = f"braces are no subscript: write {name}_{text.replace(',', '_')}"
    return fault.says(UNEXPECTED_WORD, f"{before}{{{text}}} is LaTeX", place, help=help)


def listed(fault: Fault) -> Diagnostic | None:
    """`[x, h]` as a value."""
    if fault.kind != "LSQB" or "LSQB" in fault.accepted or fault.before is None:
        return None
    end = closing(fault.words, fault.at)
    inside = text_of(fault.words[fault.at + 1 : end], fault.source.text)
    place = where(fault.source, fault.word, fault.words[end])
    if "NAME" not in fault.accepted or fault.words[end].type != "RSQB" or not inside:
        return None
    words = fault.words[fault.at + 1 : end]
    if all(w.type == "NAME" for w in words):
        inside = ", ".join(map(str, words))
    inside = inside if len(inside) <= 60 else "a, b"
    call = [str(w) for w in fault.words[max(0, fault.at - 2) : fault.at]]
    if call[-1:] == ["("] and len(call) == 2 and call[0].isidentifier():
        title = "there are no lists"
        return fault.says(UNEXPECTED_WORD, title, place, help=f"leave the square brackets out: concat({inside})")
    return fault.says(UNEXPECTED_WORD, "there are no lists", place, help=f"vectors are joined by concat({inside})")


def sliced(fault: Fault) -> Diagnostic | None:
    """`g[0:H]`, `g[:H]`, `x[t, :]`, `g[1..H]`, `x[..., 0]`."""
    round = fault.kind == "COLON" and fault.guilty.kind not in {"CELL", "FN"}
    if not fault.open or fault.open[-1].type not in ({"LSQB", "LPAR"} if round else {"LSQB"}):
        return None
    if fault.guilty.kind in {"CELL", "FN"} and fault.kind == "COLON":
        return None
    if fault.kind not in {"COLON", "DOTS"}:
        return None
    at = next(k for k in range(fault.at - 1, -1, -1) if fault.words[k] is fault.open[-1])
    before = fault.words[at - 1] if at else None
    if before is None or before.type not in {"NAME", "RSQB", "RPAR"} or opens_line(fault.words, at):
        return None
    end = closing(fault.words, at)
    if end + 1 < len(fault.words) and fault.words[end + 1].type in {"COLON", "EQUAL"} and fault.kind == "DOTS":
        return None
    name = str(before) if before.type == "NAME" else "x"
    inside = [str(w) for w in fault.words[at + 1 : end]]
    place = where(fault.source, before, fault.words[end])
    sign = ":" if fault.kind == "COLON" else ".."
    help = _slice(name, inside, sign)
    if fault.kind == "DOTS" and "," not in inside:
        help += f"; members of a family: {name}[j] for j in {''.join(inside)}"
        return fault.says(MALFORMED_LOOP, "a range is not allowed here", fault.word, help=help)
    title = f"{text_of(fault.words[at - 1 : end + 1], fault.source.text)} is not an index"
    return fault.says(UNEXPECTED_WORD, title, place, help=help)


def _slice(name: str, inside: list[str], sign: str) -> str:
    """The help for a slice."""
    if "t" in inside:
        start = inside.index("t")
        step = "".join(inside[start : start + 3]).rstrip(",:")
        return f"time and batch have no index: write {name}" + (f"[{step}]" if step != "t" else "")
    if "," in inside or inside in ([":"], [".."]):
        return (
            f"time and batch have no index: write {name} for the value at this step, slice({name}, 1, 2) for elements"
        )
    if inside[:2] == [":", ":"]:
        return f"reverse({name}) reverses a stream in time, slice({name}, 1, 2) takes elements"
    if "-" in inside[:1]:
        return f"elements count from 1, and both ends are included: slice({name}, a, b)"
    cut = inside.index(sign)
    first, last = " ".join(inside[:cut]), " ".join(inside[cut + 1 :]).split(" :")[0]
    last = "..." if last.startswith("-") else last
    counted = (
        first
        if sign == ".."
        else "1"
        if first in {"", "0"}
        else str(int(first) + 1)
        if first.isdigit()
        else f"{first} + 1"
    )
    return f"elements count from 1, and both ends are included: slice({name}, {counted}, {last or '...'})"


def tupled(fault: Fault) -> Diagnostic | None:
    """`(x, y)` and `x, y` as a value."""
    if fault.kind != "COMMA" or fault.before is None or "PLUS" not in fault.accepted or fault.in_header:
        return None
    brackets = [word for word in fault.open if word.type != "LBRACE"]
    if brackets and brackets[-1].type != "LPAR":
        return None
    if not brackets and fault.guilty.kind not in {"NAME", "CONST", "STATE", "LOSS"}:
        return None
    help = "vectors are joined by concat(a, b); each name has its own equation"
    return fault.says(UNEXPECTED_WORD, "there are no lists", fault.word, help=help)


def pointed(fault: Fault) -> Diagnostic | None:
    """`a .* b`, `a ./ b`, `x.^2`."""
    if (
        fault.before is None
        or fault.before.type != "DOT"
        or fault.kind not in SIGNS
        or not touching(fault.words, fault.at)
    ):
        return None
    sign = SIGNS[fault.kind]
    help = "write @" if sign == "@" else f"{sign} is element-wise already; a product of matrices is written @"
    return fault.says(UNEXPECTED_WORD, f".{sign} is not an operator of a spec", (fault.before, fault.word), help=help)


def unequal(fault: Fault) -> Diagnostic | None:
    """`a <> b`, `a ~= b`."""
    before = fault.before
    after = fault.words[fault.at + 1] if fault.at + 1 < len(fault.words) else None
    if fault.in_header:
        return None
    if fault.kind == "EQUAL" and after is not None and after in {"<", ">"} and touching(fault.words, fault.at + 1):
        place = where(fault.source, fault.word, after)
        return fault.says(UNEXPECTED_WORD, f"={after} is not an operator of a spec", place, help=f"write {after}=")
    if before is None or fault.over or not touching(fault.words, fault.at):
        after = fault.words[fault.at + 1] if fault.at + 1 < len(fault.words) else None
        if (
            fault.kind == "TILDE"
            and after is not None
            and after.type == "EQUAL"
            and touching(fault.words, fault.at + 1)
        ):
            return fault.says(UNEXPECTED_WORD, "~= is not an operator of a spec", (fault.word, after), help="write !=")
        return None
    pair = f"{before}{fault.word}"
    meant = {"<>": "!=", "===": "==", "=<": "<=", "!==": "!="}.get(pair)
    if meant is None:
        return None
    title = f"{pair} is not an operator of a spec"
    return fault.says(UNEXPECTED_WORD, title, (before, fault.word), help=f"write {meant}")
