"""A client of the language server: a real one, in a process of its own, driven step by step."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls", reason="the extra lsp is not installed")
types = importlib.import_module("lsprotocol.types")
client_module = importlib.import_module("pygls.lsp.client")

PATIENCE = 60.0
"""Seconds until an answer: the machine may be busy."""


class Editor:
    """An editor with texts that are open, and the diagnostics that it was sent for each."""

    def __init__(self, client: Any, root: Path) -> None:
        self.client, self.root = client, root
        self.sent: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self.news = asyncio.Event()

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri() if ":" not in name else name

    async def open(self, name: str, text: str) -> Any:
        """Open a text; the diagnostics about it."""
        self.versions[name] = 1
        item = types.TextDocumentItem(self.uri(name), "rnn", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return await self.diagnostics(name)

    def write(self, name: str, text: str) -> None:
        """Change a whole text."""
        self.versions[name] += 1
        about = types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(about, [change]))

    async def change(self, name: str, text: str) -> Any:
        """Change a whole text; the diagnostics about it."""
        self.write(name, text)
        return await self.diagnostics(name)

    async def diagnostics(self, name: str) -> Any:
        """The diagnostics about the text as it is now."""
        while True:
            found = self.sent.get(self.uri(name))
            if found is not None and found.version == self.versions[name]:
                return list(found.diagnostics)
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), PATIENCE)

    def at(self, name: str, line: int, column: int) -> dict[str, Any]:
        """The arguments of a request about a place, from 0."""
        about = types.TextDocumentIdentifier(self.uri(name))
        return {"text_document": about, "position": types.Position(line, column)}

    async def ask(self, request: str, params: Any) -> Any:
        """The answer to a request."""
        return await asyncio.wait_for(getattr(self.client, f"text_document_{request}_async")(params), PATIENCE)


def edit(root: Path, session: Callable[[Editor], Awaitable[None]], encodings: Any = None) -> None:
    """Run a session of an editor whose workspace is the folder `root`."""

    async def run() -> None:
        client = client_module.LanguageClient("tests", "1")
        editor = Editor(client, root)

        def received(params: Any) -> None:
            editor.sent[params.uri] = params
            editor.news.set()

        client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(received)
        await client.start_io(sys.executable, "-m", "recurrency", "lsp")
        general = types.GeneralClientCapabilities(position_encodings=encodings)
        capabilities = types.ClientCapabilities(general=general)
        start = types.InitializeParams(capabilities, root_uri=root.as_uri())
        await asyncio.wait_for(client.initialize_async(start), PATIENCE)
        client.initialized(types.InitializedParams())
        try:
            await session(editor)
        finally:
            await asyncio.wait_for(client.shutdown_async(None), PATIENCE)
            client.exit(None)
            await client.stop()

    asyncio.run(run())


def place_of(text: str, marked: str) -> tuple[int, int]:
    """Line and column of the first place of a piece of text, from 0."""
    at = text.index(marked)
    return text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1
