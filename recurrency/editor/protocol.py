"""From the plain data of this package to the types of the language server protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from lsprotocol import types

from recurrency.editor.analysis import Found
from recurrency.editor.completing import Offer, Signature
from recurrency.editor.fixing import use_edit
from recurrency.editor.listing import Entry
from recurrency.editor.places import Range, column_at, units_before
from recurrency.errors import visible
from recurrency.language import diagnostics as codes

UNNEEDED = {
    code.number
    for code in (
        codes.UNREAD_PARAMETER,
        codes.UNREAD_INPUT,
        codes.UNREAD_EQUATION,
        codes.UNREAD_STATE,
        codes.UNREAD_ENTRY,
        codes.UNUSED_CELL,
        codes.USELESS_COMMENT,
    )
}
"""Warnings about what could be left out: editors print it in grey."""


@dataclass(frozen=True)
class Positions:
    """Places of a text, as a client counts them in its encoding."""

    lines: list[str]
    encoding: str

    def position(self, line: int, column: int) -> types.Position:
        text = self.lines[line] if line < len(self.lines) else ""
        return types.Position(line, units_before(text, column, self.encoding))

    def range(self, place: Range) -> types.Range:
        return types.Range(self.position(place.line, place.column), self.position(place.end_line, place.end_column))

    def place(self, position: types.Position) -> tuple[int, int]:
        """Line and column in characters; places behind the end are the end."""
        if position.line >= len(self.lines):
            return len(self.lines) - 1, len(self.lines[-1])
        return position.line, column_at(self.lines[position.line], position.character, self.encoding)


def diagnostics(found: Iterable[Found], positions: Positions) -> list[types.Diagnostic]:
    """Mistakes and warnings, with label, notes and help in the message."""
    out = []
    for one in found:
        d = one.diagnostic
        title = f"{d.title}: {d.label}" if d.label else d.title
        message = "\n".join(visible(line) for line in (title, *d.notes, *([f"help: {d.help}"] if d.help else [])))
        severity = types.DiagnosticSeverity.Warning if d.warning else types.DiagnosticSeverity.Error
        tags = [types.DiagnosticTag.Unnecessary] if d.number in UNNEEDED else None
        place = positions.range(one.range)
        out.append(types.Diagnostic(place, message, severity, d.code, source="recurrency", tags=tags))
    return out


NEW = "NEW"
"""Stands for the name of a cell in an edit that is made for all of them."""


def completions(offers: Iterable[Offer], text: str, positions: Positions) -> types.CompletionList:
    """Completions of a text, each with the `use` line that it needs."""
    edit = use_edit(text, f"use {NEW} from library")
    place = positions.range(edit.range)

    def more(offer: Offer) -> list[types.TextEdit] | None:
        return [types.TextEdit(place, edit.text.replace(NEW, offer.use))] if offer.use else None

    return types.CompletionList(False, [_completion(offer, more(offer)) for offer in offers])


def _completion(offer: Offer, more: list[types.TextEdit] | None) -> types.CompletionItem:
    about = types.MarkupContent(types.MarkupKind.Markdown, offer.about) if offer.about else None
    return types.CompletionItem(
        offer.label,
        kind=types.CompletionItemKind[offer.kind.capitalize()],
        detail=offer.detail or None,
        documentation=about,
        sort_text=offer.order + offer.label,
        additional_text_edits=more,
    )


def signature_help(found: Signature) -> types.SignatureHelp:
    """The signature of a call; its parameters are parts of its text."""
    parameters = [types.ParameterInformation(text) for text in found.parameters]
    about = types.MarkupContent(types.MarkupKind.Markdown, found.about)
    one = types.SignatureInformation(found.label, about, parameters, found.active)
    return types.SignatureHelp([one], 0, found.active)


def symbol(entry: Entry, positions: Positions) -> types.DocumentSymbol:
    """A line of the outline."""
    place = positions.range(entry.range)
    inside = [symbol(inner, positions) for inner in entry.inside]
    kind = types.SymbolKind[entry.kind.capitalize()]
    return types.DocumentSymbol(entry.name, kind, place, place, detail=entry.detail or None, children=inside)


def line_edits(before: str, after: str, positions: Positions, end: str) -> list[types.TextEdit]:
    """The edit that makes one text of another: all lines between the first and the last one that differ."""
    old, new = before.split("\n"), after.split("\n")
    if old == new:
        return []
    first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    rest = min(len(old), len(new)) - first
    same = zip(reversed(old[len(old) - rest :]), reversed(new[len(new) - rest :]), strict=True)
    last = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], same)) if rest else 0
    changed = new[first : len(new) - last]
    if last:
        place = Range(first, 0, len(old) - last, 0)
        return [types.TextEdit(positions.range(place), "".join(line + end for line in changed))]
    column = len(old[first - 1]) if first else 0
    place = Range(max(0, first - 1), column, len(old) - 1, len(old[-1]))
    return [types.TextEdit(positions.range(place), (end if first and changed else "") + end.join(changed))]
