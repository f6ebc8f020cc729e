"""Runs `recurrency generate` with parsed options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from recurrency.disk.files import require_file, write_whole
from recurrency.errors import UsageError
from recurrency.generating import music, strokes
from recurrency.generating.alphabet import BETWEEN, Alphabet
from recurrency.generating.choice import Choice
from recurrency.generating.decoding import Piece, generate
from recurrency.generating.drawings import drawings, symbols_of
from recurrency.generating.folder import Trained, trained
from recurrency.generating.kinds import kind_of
from recurrency.generating.search import Beam
from recurrency.generating.steps import Writer
from recurrency.generating.translating import Translator, require_width
from recurrency.training.data.places import plain_ends

Tell: TypeAlias = Callable[[str], None]

USUAL = {"characters": 500, "words": 100, "bytes": 500}
"""The default number of symbols."""
USUAL_BEAM = Beam(5, 1.0)
"""How lines are translated, unless something else is asked for."""


@dataclass(frozen=True)
class Request:
    """The options of the command; None for those not given. `path` is the output file, None for the terminal.

    `lines` are many sources, each of which becomes a line.
    """

    folder: str
    steps: int | None = None
    prompt: str | None = None
    source: str | None = None
    lines: Sequence[str] | None = None
    choice: Choice = field(default_factory=Choice)
    beam: Beam | None = None
    samples: int = 1
    seed: int = 0
    path: str | None = None
    backend: str | None = None

    def written(self, of: Trained, usual: int, **more: Any) -> list[Piece]:
        """All samples; `usual` is the default number of steps."""
        steps = usual if self.steps is None else self.steps
        return generate(
            of.model, of.params, steps, choice=self.choice, beam=self.beam, samples=self.samples, seed=self.seed, **more
        )

    def file(self, what: str, suffix: str) -> Path:
        """The output file.

        Raises:
            UsageError: it was not given, or has another extension.
        """
        if self.path is None or Path(self.path).suffix != suffix:
            given = "" if self.path is None else f", not {self.path}"
            raise UsageError(f"{what} is written to a file: pass -o NAME{suffix}{given}")
        return Path(self.path)

    def refuse(self, kind: str, **given: Any) -> None:
        """Refuse options that are for text only, and for anything but strokes a bias.

        Raises:
            UsageError: one of them was given.
        """
        if self.choice.bias and kind != "strokes":
            raise UsageError(f"--bias is for strokes; this model generates {kind}")
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"--{name} is for text; this model generates {kind}")


def run(request: Request, say: Tell, tell: Tell) -> None:
    """Generate from a run folder. Text goes to `say` or a file, anything else to a file; `tell` gets progress.

    Raises:
        UsageError: the folder or a file does not exist, or the model cannot generate what is asked for.
    """
    if request.path is not None:
        require_file(request.path)
    found = trained(request.folder, request.backend, tell)
    writer = Writer(found.model, found.params)
    kind = kind_of(writer).name
    if NEEDED[kind] not in found.facts:
        raise UsageError(
            f"{request.folder}: cannot generate from this task, whose data are not text, piano rolls or pen strokes"
        )
    if request.lines is not None and kind != "symbols":
        raise UsageError(f"lines are read by models that generate text; this one generates {kind}: pass --source TEXT")
    WRITERS[kind](request, found, writer, say, tell)


# ----------------------------------------------------------------------------------------------------------------- text


def _text(request: Request, found: Trained, writer: Writer, say: Tell, tell: Tell) -> None:
    request.refuse("text")
    if request.lines is not None:
        _lines(request, found, request.lines, say, tell)
        return
    alphabet = Alphabet.of(found.facts, writer.name, _size(writer, writer.name))
    if request.beam:
        require_width(request.beam, alphabet)
    prompt = request.prompt or ""
    prompt = prompt if alphabet.unit == "bytes" else plain_ends(prompt)  # as in training data
    start = alphabet.read(prompt, "the prompt") if prompt else None
    if start is None and not writer.reads_before:
        start = alphabet.first
        if start is None:
            raise UsageError("no prompt given: pass --prompt TEXT (the vocabulary has no line end to start from)")
    source = _source(request, found, writer)
    usual = USUAL[alphabet.unit]
    pieces = request.written(found, usual, start=start, source=source, end=alphabet.last)
    before = prompt + BETWEEN[alphabet.unit] if prompt else ""
    texts = [before + alphabet.write(piece.values) for piece in pieces]
    if len(texts) > 1:
        texts = [f"--- {number} ---\n{text}" for number, text in enumerate(texts, 1)]
    _put(request, texts, say)


def _put(request: Request, texts: Sequence[str], say: Tell) -> None:
    """Print texts, or write them to the file that was asked for."""
    if request.path is None:
        say("\n".join(texts))
    else:
        write_whole(request.path, "\n".join(texts) + "\n")


def _lines(request: Request, found: Trained, lines: Sequence[str], say: Tell, tell: Tell) -> None:
    """Translate each line."""
    request.refuse("one line for each source", prompt=request.prompt)
    if request.samples > 1:
        raise UsageError("--samples is for a single source: many lines have one translation each")
    translator = Translator(found, request.beam or USUAL_BEAM, request.steps or USUAL["words"])
    out, unknown = translator.lines(lines)
    if out:
        _put(request, out, say)
    if unknown.told():
        tell(unknown.told())


def _size(writer: Writer, name: str) -> int:
    return writer.model.inputs[name].index or 0


def _source(request: Request, found: Trained, writer: Writer) -> Any:
    """The symbols of --source, for a model with a second clock."""
    if not writer.sources:
        request.refuse("without a source", source=request.source)
        return None
    return symbols_of(writer, found.facts, request.source)


# --------------------------------------------------------------------------------------------------------- other things


def _music(request: Request, found: Trained, writer: Writer, say: Tell, tell: Tell) -> None:
    request.refuse("music", prompt=request.prompt, source=request.source)
    path, lowest = request.file("music", ".npz"), int(found.facts["lowest"])
    rolls = [piece.values for piece in request.written(found, int(found.facts.get("steps", 100)))]
    music.save(rolls, lowest, path)
    picture = path.with_suffix(".png")
    try:
        music.draw(rolls, lowest, picture)
    except UsageError as error:
        tell(f"{picture} was not drawn: {error}")


def _strokes(request: Request, found: Trained, writer: Writer, say: Tell, tell: Tell) -> None:
    """Drawings; those of a text are wider, the longer it is."""
    request.refuse("strokes", prompt=request.prompt)
    how = {"choice": request.choice, "beam": request.beam, "samples": request.samples, "seed": request.seed}
    path = request.file("a drawing", ".svg")
    drawn = drawings(writer, found.facts, request.source, request.steps, **how)
    write_whole(path, strokes.svg(drawn, max(1.0, LETTER * len(request.source or ""))))


LETTER = 0.5
"""How much wider a drawing is for each character."""

NEEDED: Mapping[str, str] = {"symbols": "vocabulary", "keys": "lowest", "pen": "scale", "hand": "scale"}
"""The fact of a task that each kind of output needs."""

WRITERS: Mapping[str, Callable[[Request, Trained, Writer, Tell, Tell], None]] = {
    "symbols": _text,
    "keys": _music,
    "pen": _strokes,
    "hand": _strokes,
}
