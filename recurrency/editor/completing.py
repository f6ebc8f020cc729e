"""What an editor offers where the cursor is, and the signature of the call around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lark import Token

from recurrency.editor.analysis import Analysis
from recurrency.editor.cursor import Call, Cursor
from recurrency.editor.facts import NOTHING
from recurrency.editor.hovering import about_word, header
from recurrency.language import syntax
from recurrency.language.sources import library_index
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS, shown
from recurrency.language.words import CLAUSES, read_name

STATEMENTS = ("param", "state", "const", "loss", "for", "fn")
TOP_LEVEL = ("cell", "fn", "use")
BETWEEN = ("from", *CLAUSES)
DEFINING = {"PARAM", "STATE", "CONST", "COMMA", "LSQB", "LPAR", "ARROW", "FN", "FOR", "LBRACE", "DOC"}
FIRST, SECOND, THIRD, LAST = "1", "2", "3", "4"
"""The order of what is offered: names of the cell, functions, cells, and cells that are not used yet."""


@dataclass(frozen=True)
class Offer:
    """A completion; `kind` is that of the protocol, in lower case; `use` a cell for a new `use` line."""

    label: str
    kind: str
    detail: str = ""
    about: str = ""
    order: str = FIRST
    use: str = ""


@dataclass(frozen=True)
class Signature:
    """The signature of a call: its text, what it means, its parameters as parts of the text, and the active one."""

    label: str
    about: str
    parameters: tuple[str, ...]
    active: int | None


def offers(analysis: Analysis | None, at: Cursor, words: Iterable[Token], inside: bool) -> list[Offer]:
    """What may follow the cursor. `words` are those of the piece around it, `inside` whether it is inside of a cell.

    `analysis` is the last one that is known, perhaps of an earlier state of the text.
    """
    use = at.in_use()
    if use or at.silent():
        return list(_of_use(analysis, use))
    if at.draws():
        return [Offer(n, "function", row.signature, about_word(n) or "") for n, row in INITIALISERS.items()]
    member = at.member_of()
    if member is not None:
        return list(_of_member(analysis, at, member))
    if not inside:
        return [Offer(word, "keyword") for word in TOP_LEVEL]
    return [*_names(analysis, at, words), *_language(at), *_cells(analysis)]


def _of_use(analysis: Analysis | None, use: str) -> Iterator[Offer]:
    if use in ("first", "names"):
        for name, path in library_index().items():
            yield Offer(name, "class", f"shipped, {path.name}", order=SECOND)
        yield from [Offer("from", "keyword")] if use == "names" else []
    if use == "source":
        yield Offer("library", "keyword", "the shipped cells")
    if use in ("first", "source") and analysis is not None and analysis.module.path is not None:
        own = analysis.module.path
        for path in sorted(own.parent.glob("*.rnn"))[:100]:
            if path.name != own.name:
                yield Offer(f'"{path.name}"', "file")


def _of_member(analysis: Analysis | None, at: Cursor, name: str) -> Iterator[Offer]:
    """The streams inside of a use of a cell."""
    if analysis is not None:
        cell = _own_name(at)
        known = analysis.facts(cell).inside.get(name, {})
        for stream, type_ in known.items():
            if "[" not in stream:
                yield Offer(stream, "variable", shown(type_))


def _own_name(at: Cursor) -> str:
    """The name of the cell around the cursor."""
    names = [read_name(b) for a, b in zip(at.words, at.words[1:], strict=False) if a.type == "CELL"]
    return names[-1] if names else ""


def _names(analysis: Analysis | None, at: Cursor, words: Iterable[Token]) -> Iterator[Offer]:
    """The names that the cell around the cursor defines, with their shapes where these are known."""
    facts = NOTHING if analysis is None else analysis.facts(_own_name(at))
    own, call = named_in(words), at.call()
    for name in own:
        detail = facts.shape(name) or ("dimension" if name in facts.entries else "")
        yield Offer(name, "variable", detail)
    if call is not None:
        yield from (Offer(f"{k} =", "property", order=SECOND) for k in _keywords(analysis, call))


def named_in(words: Iterable[Token]) -> list[str]:
    """The names that are defined in a piece: in its header, by declarations, equations, functions and loops."""
    kept = [word for word in words if word.type != "COMMENT"]
    found: dict[str, None] = {}
    declaring, body = False, False
    for at, word in enumerate(kept):
        before = kept[at - 1] if at else None
        after = kept[at + 1].type if at + 1 < len(kept) else ""
        fresh = before is None or before.end_line != word.line
        if fresh:
            declaring = False
        declaring = declaring or word.type in ("PARAM", "STATE", "CONST")
        body = body or word.type == "LBRACE"
        if word.type == "COLON":
            declaring = False
        if word.type == "NAME" and before is not None:
            head = not body and before.type in ("LSQB", "COMMA", "LPAR") and after in _HEAD_ENDS
            equation = body and fresh and after in ("EQUAL", "LSQB")
            if head or equation or before.type in ("FN", "FOR") or (declaring and before.type in DEFINING):
                found[read_name(word)] = None
    return list(found)


_HEAD_ENDS = ("COMMA", "COLON", "RSQB", "EQUAL")


def _language(at: Cursor) -> Iterator[Offer]:
    if at.opens_line:
        yield from (Offer(word, "keyword", order=SECOND) for word in STATEMENTS)
    elif at.before in ("RPAR", "RSQB", "NAME"):
        yield from (Offer(word, "keyword", order=SECOND) for word in BETWEEN)
    for name, row in FUNCTIONS.items():
        yield Offer(name, "function", row.signature, about_word(name) or "", SECOND)
    yield Offer("init", "function", "init(h)", "the initial value of the state h", SECOND)
    yield from (Offer(name, "constant", order=SECOND) for name in NUMBERS)


def _cells(analysis: Analysis | None) -> Iterator[Offer]:
    known = {} if analysis is None else analysis.module.cells
    for name, definition in known.items():
        yield Offer(name, "class", header(definition.cell), definition.cell.doc or "", THIRD)
    for fn in (analysis.module.functions if analysis else {}).values():
        yield Offer(fn.name, "function", f"{fn.name}({', '.join(fn.parameters)})", order=SECOND)
    for name, path in library_index().items():
        if name not in known:
            yield Offer(name, "class", f"shipped, {path.name}", f"adds `use {name} from library`", LAST, name)


# ---------------------------------------------------------------------------------------------------------- signatures


def signature(analysis: Analysis | None, call: Call) -> Signature | None:
    """The signature of a call."""
    found = _signature(analysis, call.name)
    if found is None:
        return None
    label, about = found
    parameters = tuple(_split(label[label.index("(") + 1 : label.rindex(")")])) if "(" in label else ()
    active: int | None = min(call.argument, len(parameters) - 1) if parameters else None
    if parameters and call.argument >= len(parameters) and not parameters[-1].startswith("..."):
        active = None
    if call.keyword:
        named = [n for n, text in enumerate(parameters) if text.split("=")[0].split(":")[0].strip() == call.keyword]
        active = named[0] if named else None
    return Signature(label, about, parameters, active)


def _signature(analysis: Analysis | None, name: str) -> tuple[str, str] | None:
    module = analysis.module if analysis else None
    if module is not None and name in module.functions:
        fn = module.functions[name]
        return f"{name}({', '.join(fn.parameters)})", "a function of this file"
    if module is not None and name in module.cells:
        cell = module.cells[name].cell
        return f"{name}({', '.join(_port(p) for p in cell.inputs)})", cell.doc or ""
    if name in FUNCTIONS:
        return FUNCTIONS[name].signature, FUNCTIONS[name].meaning
    if name in INITIALISERS:
        return INITIALISERS[name].signature, INITIALISERS[name].meaning
    return ("init(h)", "the initial value of the state h") if name == "init" else None


def _keywords(analysis: Analysis | None, call: Call) -> Iterator[str]:
    """The names by which arguments of a call may be given."""
    module = analysis.module if analysis else None
    if module is not None and call.name in module.cells:
        yield from (p.name for p in module.cells[call.name].cell.inputs)
    elif call.name in FUNCTIONS:
        yield from FUNCTIONS[call.name].keywords


def _port(port: syntax.Port) -> str:
    return f"{port.name}: {port.type.span.text}"


def _split(text: str) -> Iterator[str]:
    """The parts of a list that commas outside of brackets separate."""
    depth, start = 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()
