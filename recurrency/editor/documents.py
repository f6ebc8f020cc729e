"""The texts that an editor has open, each with its last analysis; and the files beside them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

from recurrency.editor.analysis import Analysis, Found, Workshop
from recurrency.editor.places import normal
from recurrency.errors import RecurrencyError
from recurrency.language.sources import read_source

MOST_FOLDERS = 1000
MOST_FILES = 300
"""Folders and files that are searched for the names of a text."""
PASSED_OVER = {"node_modules", "__pycache__", "build", "dist", "site-packages"}

Publish = Callable[["Document"], None]


class Document:
    """A text that is open. It is analysed in a thread; of several states that wait, only the newest is."""

    def __init__(self, uri: str, path: Path | None, name: str, documents: Documents) -> None:
        self.uri, self.path, self.documents = uri, path, documents
        self.workshop = Workshop(path, name, documents.text_of)
        self.text = ""
        self.version: int | None = None
        self.crlf = False
        self.analysis: Analysis | None = None
        """That of the newest state that was analysed."""
        self.found: tuple[Found, ...] = ()
        """Its mistakes, or its warnings."""
        self.stale = True
        self._task: asyncio.Task[None] | None = None

    def change(self, text: str, version: int | None) -> None:
        """The text is another one now."""
        self.text, self.version, self.crlf = normal(text), version, "\r\n" in text
        self.refresh()

    def refresh(self) -> None:
        """Analyse the text, because it or a file that it uses has changed."""
        self.stale = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._analyse())

    async def _analyse(self) -> None:
        loop = asyncio.get_running_loop()
        while self.stale:
            self.stale, text, version = False, self.text, self.version
            analysis = await loop.run_in_executor(self.documents.pool, self.workshop.analyse, text)
            found = analysis.mistakes
            if not found and not self.stale:
                found = await loop.run_in_executor(self.documents.pool, self.workshop.warnings, analysis)
            self.analysis, self.found = analysis, found
            if version == self.version:
                self.documents.publish(self)

    async def current(self) -> Analysis:
        """The analysis of the text as it is now."""
        while self.stale or self.analysis is None or (self._task is not None and not self._task.done()):
            if self._task is None or self._task.done():
                self.refresh()
            assert self._task is not None
            await asyncio.shield(self._task)
        return self.analysis

    async def in_thread(self, action: Callable[[], object]) -> object:
        """The result of an action that uses the workshop, which one thread at a time may do."""
        return await asyncio.get_running_loop().run_in_executor(self.documents.pool, action)


class Documents:
    """All open texts. `pool` is one thread, in which texts are analysed; `publish` reports what was found."""

    def __init__(self, pool: Executor, publish: Publish) -> None:
        self.pool, self.publish = pool, publish
        self.open: dict[str, Document] = {}
        self.root: Path | None = None
        self._closed: dict[Path, tuple[str, Analysis]] = {}

    def text_of(self, path: Path) -> str | None:
        """The text of a file that is open."""
        return next((d.text for d in list(self.open.values()) if d.path == path), None)

    def users_of(self, changed: Document) -> Iterator[Document]:
        """The other open texts that use files, perhaps the changed one."""
        for document in self.open.values():
            analysis = document.analysis
            if document is not changed and analysis and any(u.path for u in analysis.module.file.uses):
                yield document

    async def around(self, document: Document, name: str) -> list[Analysis]:
        """The analyses of the text, and of the files in its workspace that mention a name."""
        own = await document.current()
        if document.path is None:
            return [own]
        out, root = [own], self.root or document.path.parent
        root = root if document.path.is_relative_to(root) else document.path.parent
        opened = [d.path for d in self.open.values() if d.path and d.path.is_relative_to(root)]
        for path in dict.fromkeys([*rnn_files(root), *opened]):
            if path != document.path and (found := await self.of_file(path, name)) is not None:
                out.append(found)
        return out

    async def of_file(self, path: Path, name: str = "") -> Analysis | None:
        """The analysis of a file, open or not; None if it can't be read, or does not mention a name."""
        opened = next((d for d in self.open.values() if d.path == path), None)
        if opened is not None:
            return await opened.current() if name in opened.text else None
        try:
            text = read_source(path).text
        except (RecurrencyError, OSError):
            return None
        if name not in text:
            return None
        known = self._closed.get(path)
        if known is None or known[0] != text:
            workshop = Workshop(path, path.name, self.text_of)
            analysis = await asyncio.get_running_loop().run_in_executor(self.pool, workshop.analyse, text)
            known = self._closed[path] = (text, analysis)
        return known[1]


def rnn_files(root: Path) -> list[Path]:
    """The `.rnn` files of a folder and those below it, except hidden ones."""
    found: list[Path] = []
    for count, (folder, inner, files) in enumerate(os.walk(root)):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in PASSED_OVER)
        found += [Path(folder, name).resolve() for name in sorted(files) if name.endswith(".rnn")]
        if count >= MOST_FOLDERS or len(found) >= MOST_FILES:
            break
    return found[:MOST_FILES]
