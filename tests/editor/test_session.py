"""Sessions of a real client: a text is opened, changed, asked about, renamed in and mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import Editor, edit, place_of, types

TEXT = '''\
use Linear from library

fn squash(a) = tanh(a)

cell Leaky[N, H](x: [N]) -> (y: [H]) {
    """Units that forget."""

    param W : [H, N] ~ glorot_uniform
    param a : [H]    ~ constant(2)

    state s : [H] = 0

    keep = sigmoid(a)
    s    = keep * s[t-1] + (1 - keep) * squash(W @ x)
    y    = Linear[H](s)
}

cell Two[N, H](x: [N]) -> (z: [H]) {
    under = Leaky[H](x)
    z     = Leaky[H](under) + under.s
}
'''


def test_a_session_from_a_mistake_to_its_fix(tmp_path: Path) -> None:
    async def session(editor: Editor) -> None:
        assert await editor.open("two.rnn", TEXT) == []
        await ask_about_names(editor)
        await rename(editor)
        await mend(editor)
        await complete(editor)

    edit(tmp_path, session)


def test_half_written_texts_line_ends_and_wide_letters(tmp_path: Path) -> None:
    async def session(editor: Editor) -> None:
        await half_written(editor)
        await line_ends(editor)
        await wide_letters(editor)
        await too_long(editor)
        await two_files(editor)

    edit(tmp_path, session)


async def half_written(editor: Editor) -> None:
    """Every request is answered, wherever a text ends and wherever the cursor is."""
    await editor.open("half.rnn", TEXT)
    for end in range(0, len(TEXT), 97):
        editor.write("half.rnn", TEXT[:end])
        await ask_everything(editor, "half.rnn", TEXT[:end].count("\n"), 3)
    await ask_everything(editor, "half.rnn", 10_000, 10_000)
    assert await editor.change("half.rnn", TEXT) == []


async def ask_everything(editor: Editor, name: str, line: int, column: int) -> None:
    place = editor.at(name, line, column)
    await editor.ask("completion", types.CompletionParams(**place))
    await editor.ask("signature_help", types.SignatureHelpParams(**place))
    await editor.ask("hover", types.HoverParams(**place))
    await editor.ask("definition", types.DefinitionParams(**place))
    await editor.ask("references", types.ReferenceParams(types.ReferenceContext(True), **place))
    about = types.TextDocumentIdentifier(editor.uri(name))
    await editor.ask("formatting", types.DocumentFormattingParams(about, types.FormattingOptions(4, True)))
    await editor.ask("document_symbol", types.DocumentSymbolParams(about))


async def line_ends(editor: Editor) -> None:
    """Carriage returns change no place, and a formatted text keeps them."""
    broken = TEXT.replace("keep * s", "keap*s")
    (one,) = await editor.open("lf.rnn", broken)
    (two,) = await editor.open("crlf.rnn", broken.replace("\n", "\r\n"))
    assert one.range == two.range
    about = types.TextDocumentIdentifier(editor.uri("crlf.rnn"))
    (changed,) = await editor.ask("formatting", types.DocumentFormattingParams(about, types.FormattingOptions(4, True)))
    assert (changed.range.start.line, changed.new_text.count("\r\n")) == (13, 1)
    assert changed.new_text.startswith("    s    = keap * s[t-1]")


async def wide_letters(editor: Editor) -> None:
    """Columns are counted in UTF-16, in which a letter beyond the basic plane takes two."""
    text = "cell C[H](x: [H]) -> (h: [H]) {\n    𝐡a = x  # ok: RNN103\n    h = 𝐡a * tanj(𝐡a)  # 𝐡a\n}\n"
    (mistake,) = await editor.open("wide.rnn", text)
    assert (mistake.range.start.character, mistake.range.end.character) == (14, 18)
    found = await editor.ask(
        "references", types.ReferenceParams(types.ReferenceContext(True), **editor.at("wide.rnn", 2, 9))
    )
    assert [(p.range.start.character, p.range.end.character) for p in found] == [(4, 7), (8, 11), (19, 22)]


async def too_long(editor: Editor) -> None:
    """A text of 10 MB gets one message."""
    (mistake,) = await editor.open("long.rnn", TEXT * 20_000)
    assert (mistake.code, mistake.message) == ("RNN012", "the text has more than 1000000 characters: it is not checked")
    await ask_everything(editor, "long.rnn", 5, 5)
    assert [d.code for d in await editor.change("long.rnn", "cell")] == ["RNN002"]


async def two_files(editor: Editor) -> None:
    """A text sees another as it is in the editor, and a renamed cell is renamed in both."""
    part = "cell Part[N](x: [N]) -> (y: [N]) {\n    y = tanh(x)\n}\n"
    (editor.root / "part.rnn").write_text(part)
    await editor.open("part.rnn", part)
    user = 'use Part from "part.rnn"\n\ncell Whole[N](x: [N]) -> (y: [N]) {\n    y = Part(x)\n}\n'
    assert await editor.open("whole.rnn", user) == []
    place = editor.at("part.rnn", 0, 6)
    found = await editor.ask("rename", types.RenameParams(**place, new_name="Piece"))
    assert {Path(uri).name: len(edits) for uri, edits in found.changes.items()} == {"part.rnn": 1, "whole.rnn": 2}
    editor.sent.clear()
    assert await editor.change("part.rnn", "cell Part[N](x: [N]) -> (y: []) {\n    y = sum(x)\n}\n") == []
    (mistake,) = await editor.diagnostics("whole.rnn")
    assert (mistake.code, mistake.range.start.line) == ("RNN023", 3)


async def ask_about_names(editor: Editor) -> None:
    place = editor.at("two.rnn", *place_of(TEXT, "keep * s"))
    shown = await editor.ask("hover", types.HoverParams(**place))
    assert "keep = sigmoid(a)" in shown.contents.value
    assert "`keep : [H]`" in shown.contents.value
    shown = await editor.ask("hover", types.HoverParams(**editor.at("two.rnn", *place_of(TEXT, "s[t-1]"))))
    assert "a state of Leaky" in shown.contents.value
    assert "recurrence: diagonal, affine, through s" in shown.contents.value
    found = await editor.ask("definition", types.DefinitionParams(**editor.at("two.rnn", *place_of(TEXT, "Linear[H]"))))
    assert found[0].uri.endswith("specs/linear.rnn") or "specs" in found[0].uri
    found = await editor.ask("definition", types.DefinitionParams(**editor.at("two.rnn", *place_of(TEXT, "squash(W"))))
    assert [place.range.start.line for place in found] == [2]
    asked = types.DocumentSymbolParams(types.TextDocumentIdentifier(editor.uri("two.rnn")))
    symbols = await editor.ask("document_symbol", asked)
    assert [s.name for s in symbols] == ["squash", "Leaky", "Two"]
    assert [s.name for s in symbols[1].children] == ["x", "W", "a", "s", "keep", "y"]
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    asked = types.InlayHintParams(types.TextDocumentIdentifier(editor.uri("two.rnn")), whole)
    hints = await editor.ask("inlay_hint", asked)
    assert [(h.position.line, h.label) for h in hints] == [(12, " : [H]"), (18, " : [H]")]


async def rename(editor: Editor) -> None:
    place = editor.at("two.rnn", *place_of(TEXT, "s[t-1]"))
    found = await editor.ask("rename", types.RenameParams(**place, new_name="memory"))
    (edits,) = found.changes.values()
    assert sorted(e.range.start.line for e in edits) == [10, 13, 13, 14, 19], "in the other cell as well"
    with pytest.raises(Exception, match="x already has a meaning where s is used"):
        await editor.ask("rename", types.RenameParams(**place, new_name="x"))


async def mend(editor: Editor) -> None:
    broken = TEXT.replace("keep * s", "keap * s")
    (mistake,) = await editor.change("two.rnn", broken)
    assert (mistake.code, mistake.range.start) == ("RNN020", types.Position(*place_of(broken, "keap")))
    assert "did you mean keep?" in mistake.message
    about = types.TextDocumentIdentifier(editor.uri("two.rnn"))
    asked = types.CodeActionParams(about, mistake.range, types.CodeActionContext([mistake]))
    (fix,) = await editor.ask("code_action", asked)
    assert fix.title == "Change to keep"
    ((only,),) = fix.edit.changes.values()
    assert (only.new_text, only.range) == ("keep", mistake.range)
    assert await editor.change("two.rnn", TEXT) == []


async def complete(editor: Editor) -> None:
    text = TEXT.replace("    z     = Leaky[H](under) + under.s\n}", "    z     = Leaky[H](under) + under.")
    await editor.change("two.rnn", text)
    offered = await completions(editor, text, len(text.rstrip()))
    assert {"s", "keep", "y"} <= offered.keys()
    text = TEXT.replace("squash(W @ x)", "squash(W @ ")
    (mistake,) = await editor.change("two.rnn", text)
    assert mistake.code == "RNN003"
    at = text.index("squash(W @ ") + len("squash(W @ ")
    offered = await completions(editor, text, at)
    assert offered["keep"].detail == "[H]"
    assert offered["where"].detail == "where(c, a, b)"
    assert offered["GRU"].additional_text_edits[0].new_text == "use GRU from library\n"
    line, column = text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1
    found = await editor.ask("signature_help", types.SignatureHelpParams(**editor.at("two.rnn", line, column)))
    assert (found.signatures[0].label, found.active_parameter) == ("squash(a)", 0)
    editor.write("two.rnn", "\n\n" + text)  # no diagnostics are awaited: the offers are for the text as it is now
    offered = await completions(editor, "\n\n" + text, at + 2)
    assert offered["GRU"].additional_text_edits[0].range.start.line == 3


async def completions(editor: Editor, text: str, at: int) -> dict[str, Any]:
    line, column = text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1
    found = await editor.ask("completion", types.CompletionParams(**editor.at("two.rnn", line, column)))
    return {item.label: item for item in found.items}
