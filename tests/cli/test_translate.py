"""`recurrency generate RUN --source`: many lines are translated at once, as each would be alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import recurrency as rc
from recurrency.cli import cli
from recurrency.errors import RecurrencyError, UsageError
from recurrency.generating import Beam, generate, trained
from recurrency.generating.alphabet import Alphabet
from recurrency.generating.bleu import bleu, corpus_bleu
from recurrency.generating.search import search
from recurrency.generating.steps import Writer
from recurrency.generating.translating import Translator, Unknown, tokenised
from recurrency.training.runs.command import Request, run

WORDS = {"ein": "a", "mann": "man", "hund": "dog", "sieht": "sees", "schläft": "sleeps", ".": "."}
SENTENCES = ["ein mann schläft .", "ein hund schläft .", "ein mann sieht ein hund .", "ein hund sieht ein mann ."]


def english(sentence: str) -> str:
    return " ".join(WORDS.get(word, word) for word in sentence.split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned four sentences by heart."""
    folder = tmp_path_factory.mktemp("german")
    (folder / "multi30k").mkdir()
    for part, lines in (
        ("train", SENTENCES * 10),
        ("val", SENTENCES),
        ("test_2016_flickr", [*SENTENCES, "ein kind ."]),
    ):
        for language, of in (("de", str), ("en", english)):
            path = folder / "multi30k" / f"{part}.lc.norm.tok.{language}"
            path.write_text("".join(f"{of(line)}\n" for line in lines), encoding="utf-8")
    shape = {"V": 8, "K": 8, "N": 8, "H": 12}
    how: dict[str, Any] = {"epochs": 40, "batch": 4, "rate": 0.02, "clip": 1.0, "log-form": "quiet", "backend": "numpy"}
    options = {"source": "de", "target": "en"}
    request = Request(
        "AttentionTranslator",
        "translation",
        shape,
        how,
        task_options=options,
        data=str(folder),
        folder=str(folder / "run"),
        draws=False,
    )
    run(request, lambda words: None)
    return folder / "run"


def called(folder: Path, *words: str, given: str | bytes | None = None) -> Any:
    return CliRunner().invoke(cli, ["generate", str(folder), *words], input=given, catch_exceptions=True)


def refused(folder: Path, *words: str, given: str | bytes | None = None) -> str:
    result = called(folder, *words, given=given)
    if isinstance(result.exception, SystemExit):
        return str(result.output)
    assert isinstance(result.exception, RecurrencyError), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    "words", [["--source"], ["--source", "-"], ["--source", "--beam", "2"], ["--source", "--greedy"]]
)
def test_lines_of_standard_input_are_translated_in_their_order(runs: Path, words: list[str]) -> None:
    lines = [*SENTENCES[::-1], "", SENTENCES[1]]
    result = called(runs, *words, given="".join(f"{line}\n" for line in lines))
    assert result.exit_code == 0, result.output
    assert result.stdout.split("\n") == [*map(english, lines), ""]


def test_lines_of_a_file_are_translated_to_a_file(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "in.de").write_bytes(b"ein mann schl\xc3\xa4ft .\r\nein hund schl\xc3\xa4ft .")
    words = ("--source-file", str(tmp_path / "in.de"), "-o", str(tmp_path / "out.en"))
    assert called(runs, *words).output == ""
    assert (tmp_path / "out.en").read_text(encoding="utf-8") == "a man sleeps .\na dog sleeps .\n"
    assert called(runs, "--source", given="").output == ""


def test_raw_text_is_read_as_the_data_are_and_unknown_words_are_named(runs: Path) -> None:
    result = called(runs, "--source", given="Ein Mann schläft.\nEin Känguru, ein Hund und ein Känguru\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("a man sleeps .\n")
    assert "<unk>" not in result.stdout
    assert "4 of 12 source words are read as <unk>: 'känguru' (2), ',', 'und'" in result.stderr


def test_words_are_separated_from_punctuation_unless_they_are_known() -> None:
    alphabet = Alphabet(("<unk>", "<eos>", "a", "b", "t-shirt", "z.b.", ".", ",", "&quot;"), "words", "<eos>")
    assert tokenised('A "b", a T-Shirt.', alphabet) == "a &quot; b &quot; , a t-shirt ."
    assert tokenised("z.B. (new) x-y.", alphabet) == "z.b. ( new ) x-y ."
    assert tokenised("A", Alphabet(("A", "a"), "words")) == "A"
    assert tokenised("A.b", Alphabet(("A", "b", "."), "characters")) == "A.b"


@pytest.mark.parametrize("width", [1, 3])
def test_each_line_among_many_is_translated_as_it_would_be_alone(runs: Path, width: int) -> None:
    found = trained(runs)
    translator = Translator(found, Beam(width, 1.0), 9)
    translator.never = []
    lines = ["ein mann", *SENTENCES, "schläft schläft .", "hund", "ein mann sieht"]
    sources = [translator.symbols(line, 1, Unknown()) for line in lines]
    end = translator.target.last
    for source, piece in zip(sources, translator.pieces(sources), strict=True):
        (alone,) = generate(found.model, found.params, 9, source=source, beam=Beam(width, 1.0), end=end)
        assert piece.values.tolist() == alone.values.tolist()
        assert piece.likely == pytest.approx(alone.likely, rel=1e-4)


def test_a_beam_becomes_narrower_with_each_finished_text_and_some_symbols_are_never_written() -> None:
    """Probabilities of 0.4 for the end and 0.3, 0.2, 0.1 for other symbols, at each step."""
    model = rc.library.CharacterModel.compile(backend="numpy", dtype="float64", V=4, H=1)
    params = np.zeros(model.size)
    model.views(params)["logits.b"][...] = np.log([0.3, 0.2, 0.1, 0.4])
    writer = Writer(model, params)
    (found,) = search(writer, writer.begin(1, [0]), 9, Beam(3), 3, wanted=9)
    assert [one.symbols.tolist() for one in found] == [[3], [0, 3], [0, 0, 3]]
    assert found[1].likely == pytest.approx(np.log(0.3 * 0.4))
    for row in search(writer, writer.begin(1, [0]), 4, Beam(3), 3, wanted=9, never=[0, 2]):
        assert [one.symbols.tolist() for one in row] == [[3], [1, 3], [1, 1, 3]]
        assert row[1].likely == pytest.approx(np.log(0.2 * 0.4))


def test_bleu_of_a_run_counts_words_that_it_does_not_know(runs: Path) -> None:
    assert bleu(runs, "valid").bleu == pytest.approx(100)
    score = bleu(runs, beam=2)
    assert 60 < score.bleu < 100
    assert "tok:none" in score.signature
    assert list(score.translations[:4]) == list(map(english, SENTENCES))
    assert bleu(runs, most=2).bleu == pytest.approx(100)
    assert "BLEU 100.00 (nrefs:1" in bleu(runs, "valid").told()


def test_bleu_is_that_of_the_paper() -> None:
    """Papineni et al. 2002, section 2: precisions of 4-grams and brevity penalty, by hand."""
    value, _ = corpus_bleu(["the cat sat on the mat"], ["the cat sat on a mat today"])
    precisions = np.log([5 / 6, 3 / 5, 2 / 4, 1 / 3])
    assert value == pytest.approx(100 * np.exp(1 - 7 / 6) * np.exp(precisions.mean()))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--source", "--beam", "9"), "a beam of width 9 is wider than the vocabulary, which has 8 words"),
        (("--source", "hund", "--beam", "9"), "a beam of width 9 is wider than the vocabulary, which has 8 words"),
        (("--source", "--temperature", "2"), "lines are translated by beam search: use --beam or --greedy"),
        (("--source", "--samples", "2"), "--samples is for a single source"),
        (("--source", "x", "--source-file", "y"), "leave one of them out"),
        (("--source-file", "missing.de"), "cannot read missing.de"),
        ((), "pass --source TEXT, or --source alone for lines from standard input"),
    ],
)
def test_mistakes_are_explained(runs: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused(runs, *words, given="hund\n")


def test_input_that_is_no_text_is_refused(runs: Path) -> None:
    assert "standard input, line 2: byte 255 is not UTF-8" in refused(runs, "--source", given=b"hund\n\xff\n")
    with pytest.raises(UsageError, match="there is no split tset; there are train, valid, test; did you mean test"):
        bleu(runs, "tset")
