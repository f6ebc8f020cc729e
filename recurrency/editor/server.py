"""The language server: what the protocol asks, answered by the other modules of this package."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from recurrency.editor import protocol
from recurrency.editor.analysis import Analysis, Found
from recurrency.editor.completing import offers, signature
from recurrency.editor.cursor import Cursor, cursor
from recurrency.editor.documents import Document, Documents
from recurrency.editor.fixing import Fix, fixes
from recurrency.editor.hovering import hover
from recurrency.editor.index import Occurrence
from recurrency.editor.listing import hints, outline
from recurrency.editor.pieces import pieces
from recurrency.editor.places import column_at
from recurrency.editor.protocol import Positions
from recurrency.editor.renaming import Place, places, refuse_fixed, renamed
from recurrency.errors import RecurrencyError, UsageError
from recurrency.language.reading.parser import MAX_TEXT
from recurrency.language.words import words_of
from recurrency.language.writing.format import format_file
from recurrency.version import VERSION

STACK = 64 << 20
"""Bytes for the stack of the thread that analyses: expressions may be nested deeply."""


class Server(LanguageServer):
    """A language server for `.rnn` texts."""

    def __init__(self) -> None:
        super().__init__("recurrency", VERSION, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        before = threading.stack_size(STACK)
        self.pool = ThreadPoolExecutor(1, "analysis")
        self.pool.submit(warm)
        threading.stack_size(before)
        self.documents = Documents(self.pool, self.publish)
        for name, (handler, *options) in HANDLERS.items():
            self.feature(name, *options)(handler)

    @property
    def encoding(self) -> str:
        """The units in which the client counts columns."""
        return str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding) or "utf-16")

    def positions(self, lines: list[str]) -> Positions:
        """Places of a text as the client counts them."""
        return Positions(lines, self.encoding)

    def publish(self, document: Document) -> None:
        """Send the diagnostics of a text."""
        assert document.analysis is not None
        if document.uri in self.documents.open:
            made = protocol.diagnostics(document.found, self.positions(document.analysis.lines))
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(document.uri, made, version=document.version)
            )

    def document(self, uri: str) -> Document:
        """An open text.

        Raises:
            JsonRpcInvalidParams: it is not open.
        """
        if uri not in self.documents.open:
            raise JsonRpcInvalidParams(f"{uri} is not open")
        return self.documents.open[uri]


def warm() -> None:
    """Load what the first keystroke would otherwise wait for: the grammar, the index of the library, suggestions."""
    from recurrency.editor.analysis import Workshop

    Workshop(None, "warm").analyse("cell C[H](x: [H]) -> (h: [H]) {\n    h = tanj(x)\n}\n")


def path_of(uri: str) -> Path | None:
    """The file of a URI; None for a text without a file."""
    found = to_fs_path(uri) if uri.startswith("file:") else None
    return Path(found).resolve() if found else None


# --------------------------------------------------------------------------------------------------- notifications


def opened(server: Server, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    path = path_of(item.uri)
    document = Document(item.uri, path, path.name if path else "<text>", server.documents)
    server.documents.open[item.uri] = document
    server.documents.root = path_of(server.workspace.root_uri) if server.workspace.root_uri else None
    document.change(item.text, item.version)


def changed(server: Server, params: types.DidChangeTextDocumentParams) -> None:
    document = server.document(params.text_document.uri)
    for change in params.content_changes:
        document.change(change.text, params.text_document.version)
    for other in server.documents.users_of(document):
        other.refresh()


def saved(server: Server, params: types.DidSaveTextDocumentParams) -> None:
    for document in server.documents.open.values():
        document.refresh()


def closed(server: Server, params: types.DidCloseTextDocumentParams) -> None:
    server.documents.open.pop(params.text_document.uri, None)
    server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(params.text_document.uri, []))


# -------------------------------------------------------------------------------------------------------- requests


async def named(server: Server, params: Any) -> tuple[Document, Analysis, Occurrence | None, Positions]:
    """The text, its analysis as it is now, and the name at the cursor."""
    document = server.document(params.text_document.uri)
    analysis = await document.current()
    positions = server.positions(analysis.lines)
    return document, analysis, analysis.name_at(*positions.place(params.position)), positions


async def on_hover(server: Server, params: types.HoverParams) -> types.Hover | None:
    _, analysis, at, positions = await named(server, params)
    text = hover(analysis, at) if at else None
    if at is None or text is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), positions.range(at.range))


async def on_definition(server: Server, params: types.DefinitionParams) -> list[types.Location]:
    document, analysis, at, _ = await named(server, params)
    if at is None or at.symbol.kind == "language":
        return []
    home = analysis if at.symbol.path == document.path else None
    if home is None and at.symbol.path is not None:
        home = await server.documents.of_file(at.symbol.path)
    return [] if home is None else locations(server, [home], places([home], at.symbol, definitions=True))


async def on_references(server: Server, params: types.ReferenceParams) -> list[types.Location]:
    document, analysis, at, _ = await named(server, params)
    if at is None:
        return []
    around = await server.documents.around(document, at.symbol.name) if at.symbol.kind != "local" else [analysis]
    found = places(around, at.symbol)
    if not params.context.include_declaration:
        defined = places(around, at.symbol, definitions=True)
        found = [place for place in found if place not in defined]
    return locations(server, around, found)


def locations(server: Server, around: list[Analysis], found: list[Place]) -> list[types.Location]:
    """Places as the protocol names them."""
    texts = {a.module.path: server.positions(a.lines) for a in around}
    return [types.Location(uri_of(server, p.path), texts[p.path].range(p.range)) for p in found]


def uri_of(server: Server, path: Path | None) -> str:
    """The URI of a file: that of the client, if the file is open."""
    known = next((d.uri for d in server.documents.open.values() if d.path == path), None)
    return known or str(from_fs_path(str(path)))


async def on_highlight(server: Server, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
    _, analysis, at, positions = await named(server, params)
    found = places([analysis], at.symbol) if at else []
    return [types.DocumentHighlight(positions.range(place.range)) for place in found]


async def on_prepare_rename(server: Server, params: types.PrepareRenameParams) -> types.Range | None:
    _, _, at, positions = await named(server, params)
    if at is None:
        return None
    refused(refuse_fixed, at.symbol)
    return positions.range(at.range)


async def on_rename(server: Server, params: types.RenameParams) -> types.WorkspaceEdit | None:
    document, analysis, at, _ = await named(server, params)
    if at is None:
        return None
    around = await server.documents.around(document, at.symbol.name) if at.symbol.kind != "local" else [analysis]
    found = refused(renamed, around, at.symbol, params.new_name)
    changes: dict[str, list[types.TextEdit]] = {}
    for place in locations(server, around, found):
        changes.setdefault(place.uri, []).append(types.TextEdit(place.range, params.new_name))
    return types.WorkspaceEdit(changes=changes)


def refused(action: Callable[..., Any], *arguments: Any) -> Any:
    """The result of an action; what it refuses becomes an error of the protocol."""
    try:
        return action(*arguments)
    except UsageError as error:
        raise JsonRpcInvalidParams(str(error)) from None


def cursor_at(server: Server, params: Any) -> tuple[Document, Cursor, int, int] | None:
    """The cursor in the text as it is now, which may not be analysed yet, with the lines of its piece."""
    document = server.document(params.text_document.uri)
    if len(document.text) > MAX_TEXT:
        return None
    lines = document.text.split("\n")
    line = min(params.position.line, len(lines) - 1)
    column = column_at(lines[line], params.position.character, server.encoding)
    parts = pieces(document.text)
    part = next((p for p in reversed(parts) if p.line <= line), None)
    first = part.line if part else 0
    found = cursor(lines, first, line, column)
    return None if found is None else (document, found, first, first + (part.text.count("\n") if part else 0))


def on_completion(server: Server, params: types.CompletionParams) -> types.CompletionList | None:
    at = cursor_at(server, params)
    if at is None:
        return None
    document, found, first, last = at
    text = "\n".join(document.text.split("\n")[first : last + 1])
    inside = any(word.type == "CELL" for word in found.words) and any(found.starts())
    made = offers(document.analysis, found, words_of(text), inside)
    return protocol.completions(made, document.text, server.positions(document.text.split("\n")))


def on_signature(server: Server, params: types.SignatureHelpParams) -> types.SignatureHelp | None:
    at = cursor_at(server, params)
    call = at[1].call() if at else None
    found = signature(at[0].analysis, call) if at and call else None
    return None if found is None else protocol.signature_help(found)


async def on_formatting(server: Server, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
    document = server.document(params.text_document.uri)
    before, end = document.text, "\r\n" if document.crlf else "\n"
    try:
        after = await document.in_thread(partial(format_file, before, document.workshop.readings.name))
    except RecurrencyError:
        return None
    return protocol.line_edits(before, str(after), server.positions(before.split("\n")), end)


async def on_actions(server: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    document = server.document(params.text_document.uri)
    analysis = await document.current()
    positions = server.positions(analysis.lines)
    first, last = params.range.start.line, params.range.end.line
    out: list[types.CodeAction] = []
    for found in [f for f in document.found if f.range.line <= last and f.range.end_line >= first][:10]:
        made = await document.in_thread(partial(fixes, analysis, found, document.workshop.analyse))
        out += [action(document, found, fix, positions) for fix in _fixes(made)]
    return out


def _fixes(made: object) -> list[Fix]:
    return [fix for fix in made if isinstance(fix, Fix)] if isinstance(made, list) else []


def action(document: Document, found: Found, fix: Fix, positions: Positions) -> types.CodeAction:
    """A fix as the protocol has it."""
    edits = [types.TextEdit(positions.range(e.range), e.text) for e in fix.edits]
    return types.CodeAction(
        fix.title,
        types.CodeActionKind.QuickFix,
        protocol.diagnostics((found,), positions),
        is_preferred=fix.preferred,
        edit=types.WorkspaceEdit(changes={document.uri: edits}),
    )


async def on_symbols(server: Server, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    analysis = await server.document(params.text_document.uri).current()
    positions = server.positions(analysis.lines)
    return [protocol.symbol(entry, positions) for entry in outline(analysis)]


async def on_hints(server: Server, params: types.InlayHintParams) -> list[types.InlayHint]:
    analysis = await server.document(params.text_document.uri).current()
    positions = server.positions(analysis.lines)
    found = hints(analysis, params.range.start.line, params.range.end.line)
    return [
        types.InlayHint(positions.position(h.line, h.column), h.text, types.InlayHintKind.Type, padding_left=False)
        for h in found
    ]


HANDLERS: dict[str, tuple[Any, ...]] = {
    types.TEXT_DOCUMENT_DID_OPEN: (opened,),
    types.TEXT_DOCUMENT_DID_CHANGE: (changed,),
    types.TEXT_DOCUMENT_DID_SAVE: (saved,),
    types.TEXT_DOCUMENT_DID_CLOSE: (closed,),
    types.TEXT_DOCUMENT_HOVER: (on_hover,),
    types.TEXT_DOCUMENT_DEFINITION: (on_definition,),
    types.TEXT_DOCUMENT_REFERENCES: (on_references,),
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: (on_highlight,),
    types.TEXT_DOCUMENT_PREPARE_RENAME: (on_prepare_rename,),
    types.TEXT_DOCUMENT_RENAME: (on_rename, types.RenameOptions(prepare_provider=True)),
    types.TEXT_DOCUMENT_COMPLETION: (on_completion, types.CompletionOptions(trigger_characters=[".", "~", '"'])),
    types.TEXT_DOCUMENT_SIGNATURE_HELP: (on_signature, types.SignatureHelpOptions(trigger_characters=["(", ","])),
    types.TEXT_DOCUMENT_FORMATTING: (on_formatting,),
    types.TEXT_DOCUMENT_CODE_ACTION: (
        on_actions,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix]),
    ),
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: (on_symbols,),
    types.TEXT_DOCUMENT_INLAY_HINT: (on_hints,),
}
"""What the protocol asks -> who answers, with options."""


def serve() -> None:
    """Serve an editor on standard input and output until it ends the connection."""
    sys.setswitchinterval(0.002)  # a keystroke is answered while a text is being analysed
    Server().start_io()
