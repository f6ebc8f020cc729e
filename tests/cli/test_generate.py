"""`recurrency generate`: what a run folder holds is written on, as text, music or strokes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from recurrency.cli import cli
from recurrency.errors import RecurrencyError, UsageError
from recurrency.generating import generate, music, strokes, trained
from recurrency.generating.alphabet import Alphabet
from recurrency.generating.choice import Choice
from recurrency.training.loop.snapshots import read
from recurrency.training.loop.snapshots import write as write_snapshot
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import BEST, CHECKPOINT, FACTS, PREVIOUS

VERSE = "the rose is red\nthe violet is blue\nso are you\n"


def train(folder: Path, target: str, on: str | None, dimensions: dict[str, Any], **more: Any) -> Path:
    """A run of one epoch that is kept."""
    options = {"epochs": 1, "batch": 2, "log-form": "quiet", **more.pop("options", {})}
    run(Request(target, on, dimensions, options, folder=str(folder), **more), lambda words: None)
    return folder


@pytest.fixture(scope="module")
def verses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a text that is easy to learn."""
    folder = tmp_path_factory.mktemp("verses")
    (folder / "verse.txt").write_text(VERSE * 200, encoding="utf-8")
    how = {"epochs": 6, "batch": 4, "chunk": 25, "rate": 0.01, "clip": 1.0}
    shape = {"V": len(set(VERSE)), "H": 24, "Cell": "GRU"}
    return train(folder / "run", "CharacterModel", "text", shape, data=str(folder / "verse.txt"), options=how)


def write(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["generate", str(folder), *words], catch_exceptions=True)


def said(folder: Path, *words: str) -> str:
    result = write(folder, *words)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def refused(folder: Path, *words: str) -> str:
    """The message about a mistake."""
    result = write(folder, *words)
    if isinstance(result.exception, SystemExit):
        assert result.exit_code == 2
        return result.output
    assert isinstance(result.exception, RecurrencyError), result.output
    return str(result.exception)


# ----------------------------------------------------------------------------------------------------------------- text


def test_a_model_that_has_learned_a_text_writes_it(verses: Path) -> None:
    assert said(verses, "--greedy", "--steps", str(len(VERSE))) == f"{VERSE}\n"
    assert said(verses, "--greedy", "--steps", "16", "--prompt", "so are") == "so are you\nthe rose is\n"
    assert said(verses, "--beam", "4", "--steps", "12", "--prompt", "the v") == "the violet is blu\n"
    wanted = said(verses, "--greedy", "--steps", "16", "--prompt", "are you\nso are")
    for end in ("\r\n", "\r"):
        assert said(verses, "--greedy", "--steps", "16", "--prompt", f"are you{end}so are") == wanted


def test_draws_follow_from_the_seed_and_a_greedy_choice_from_nothing(verses: Path) -> None:
    hot = ("--steps", "60", "--temperature", "3")
    assert said(verses, *hot) == said(verses, *hot, "--seed", "0") != said(verses, *hot, "--seed", "1")
    greedy = said(verses, "--greedy", "--steps", "60")
    assert greedy == said(verses, "--temperature", "0", "--steps", "60", "--seed", "9")
    assert greedy == said(verses, "--top-k", "1", "--temperature", "2", "--steps", "60")


def test_samples_are_numbered_and_a_file_holds_what_would_be_printed(verses: Path, tmp_path: Path) -> None:
    out = said(verses, "--samples", "2", "--steps", "8")
    assert [line for line in out.splitlines() if line.startswith("---")] == ["--- 1 ---", "--- 2 ---"]
    assert said(verses, "--samples", "2", "--steps", "8", "-o", str(tmp_path / "out.txt")) == ""
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == out


def test_another_backend_writes_the_same(verses: Path) -> None:
    assert said(verses, "--greedy", "--steps", "9", "--backend", "torch") == said(verses, "--greedy", "--steps", "9")


def test_what_is_known_of_the_data_is_kept_and_made_again_where_it_is_not(verses: Path, tmp_path: Path) -> None:
    facts = {"vocabulary": sorted(set(VERSE)), "unit": "characters"}
    assert json.loads((verses / FACTS).read_text(encoding="utf-8")) == facts
    data = shutil.copy(verses.parent / "verse.txt", tmp_path)
    folder = train(tmp_path / "run", "CharacterModel", "text", {"V": len(set(VERSE)), "H": 2}, data=data)
    before = said(folder, "--steps", "5")
    (folder / FACTS).unlink()
    assert said(folder, "--steps", "5") == before
    Path(data).unlink()
    words = refused(folder)
    assert "has no facts about its data, and the data are missing" in words
    assert "verse.txt" in words
    facts = [{"vocabulary": 3}, {"vocabulary": "abc"}, {"vocabulary": ["a", "a"]}, {"vocabulary": {"x": [1]}}]
    facts += [{"ends": []}, {"ends": {"x": "z"}, "vocabulary": ["a"]}, {"unit": 7}, {"steps": 0}, {"scale": [1]}]
    for spoilt in ("{", "[]", *map(json.dumps, facts)):
        (folder / FACTS).write_text(spoilt, encoding="utf-8")
        assert "facts.json" in refused(folder)


def test_a_run_that_was_begun_before_facts_were_kept_keeps_them_when_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "verse.txt").write_text(VERSE * 9, encoding="utf-8")
    shape, data = {"V": len(set(VERSE)), "H": 2}, str(tmp_path / "verse.txt")
    folder = train(tmp_path / "run", "CharacterModel", "text", shape, data=data)
    facts = (folder / FACTS).read_bytes()
    (folder / FACTS).unlink()
    train(folder, "CharacterModel", "text", shape, data=data)
    assert (folder / FACTS).read_bytes() == facts


def test_weights_that_are_not_finite_write_nothing(verses: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(verses, tmp_path / "run"))
    tensors = load_file(folder / BEST)
    with safe_open(folder / BEST, "np") as file:
        about = file.metadata()
    save_file({name: value * np.nan for name, value in tensors.items()}, folder / BEST, about)
    assert "has numbers that are not finite" in refused(folder)


def test_a_run_that_has_no_best_parameters_yet_is_written_on_by_its_checkpoint(verses: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(verses, tmp_path / "run"))
    at_hand = trained(folder)
    (folder / BEST).unlink()
    np.testing.assert_array_equal(trained(folder).params, at_hand.params)
    snapshot = read(folder / CHECKPOINT)
    snapshot.history.best_epoch = -1  # as in the first epoch
    write_snapshot(folder / CHECKPOINT, snapshot, {})
    np.testing.assert_array_equal(trained(folder).params, snapshot.params)
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)
    assert "has no parameters yet" in refused(folder)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--prompt", "Xerxes"), "the prompt has 'X', 'x', which are unknown characters"),
        (("--source", "the"), "--source is for text"),
        (("--greedy", "--temperature", "0.5"), "--greedy is --temperature 0"),
        (("--beam", "3", "--top-k", "2"), "--beam draws nothing: leave --top-k out"),
        (("--beam", "3", "--greedy"), "leave --greedy out"),
        (("--length-penalty", "1"), "--length-penalty is for --beam"),
        (("--beam", "2", "--samples", "3"), "a beam of width 2 finds at most 2 sequences"),
        (("--temperature", "-1"), "--temperature"),
        (("--temperature", "nan"), "temperature"),
        (("--steps", "0"), "--steps"),
        (("-o", "no/such/place.txt"), "there is no folder no/such"),
        (("--backend", "abacus"), "abacus"),
    ],
)
def test_options_that_do_not_fit_are_refused(verses: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused(verses, *words)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path} holds no run (no run.toml in it); `recurrency train WHAT --run" in refused(tmp_path)


def test_tasks_that_are_not_written_on_are_refused(tmp_path: Path) -> None:
    shape = {"V": 6, "H": 2, "Cell": "GRU"}
    made = {"symbols": 6, "length": 4, "steps": 2, "held": 2}
    folder = train(tmp_path / "run", "CharacterModel", "random-permutation", shape, task_options=made)
    assert "cannot generate from this task" in refused(folder, "--prompt", "a")


def test_a_text_needs_something_to_go_on_from(tmp_path: Path) -> None:
    shape, made = {"V": 29, "H": 2, "Cell": "GRU"}, {"most": 2, "steps": 2, "held": 2}
    folder = train(tmp_path / "run", "CharacterModel", "xml", shape, task_options=made)
    assert "no prompt given: pass --prompt TEXT" in refused(folder)
    assert said(folder, "--prompt", "<a>", "--steps", "4", "--greedy").startswith("<a>")


def test_programs_are_run_up_to_the_end_of_what_they_print(tmp_path: Path) -> None:
    shape, made = {"V": 41, "K": 12, "N": 3, "H": 4}, {"length": 1, "nesting": 1, "steps": 2, "held": 2}
    folder = train(tmp_path / "run", "EncoderDecoder", "programs", shape, task_options=made)
    assert "no source given: this model reads one, pass --source TEXT" in refused(folder)
    source = ("--source", "print(1)")
    assert said(folder, *source, "--beam", "3", "--steps", "5") == said(
        folder, "--source", "print(1)@", "--beam", "3", "--steps", "5"
    )
    text = said(folder, *source, "--samples", "4", "--temperature", "2").replace("--- ", "").replace(" ---", "")
    assert all("." not in line[:-1] for line in text.splitlines())


WORDS = Alphabet(("<unk>", "<eos>", "a", "b"), "words", "<eos>")


def test_words_and_lines_are_read_and_written() -> None:
    line = Alphabet(WORDS.units, "words")
    assert line.read("a b\nc", "it").tolist() == [2, 3, 1, 0]
    assert line.write([2, 3, 1, 1, 2, 1]) == "a b\n\na\n"
    assert line.first is not None
    assert line.first.tolist() == [1]
    assert WORDS.write([2, 0, 1]) == "a <unk>"
    assert WORDS.last == 1


def test_bytes_are_read_as_utf_8_and_what_is_none_is_shown_as_such() -> None:
    known = Alphabet(tuple(chr(code) for code in range(256)), "bytes")
    assert known.read("aé", "it").tolist() == [97, 0xC3, 0xA9]
    assert known.write([97, 0xC3, 0xA9, 0xC3]) == "aé\N{REPLACEMENT CHARACTER}"


def test_more_symbols_than_the_spec_has_are_refused() -> None:
    with pytest.raises(UsageError, match="x has 3 symbols; the spec was compiled for 2"):
        Alphabet.of({"vocabulary": ["a", "b", "c"]}, "x", 2)
    with pytest.raises(UsageError, match="the symbols of x have no names"):
        Alphabet.of({"vocabulary": ["a"], "labels": ["+"]}, "x", 2)


# ---------------------------------------------------------------------------------------------------------------- music


def collection(folder: Path, name: str, rows: Any, count: int = 6) -> Path:
    """A collection of sequences that are all the same."""
    parts = ("train", "valid", "test")
    arrays = {part: np.concatenate([rows] * count) for part in parts}
    folder.mkdir(parents=True)
    np.savez(folder / f"{name}.npz", **arrays, **{f"{part}_len": [len(rows)] * count for part in parts})
    return folder.parent


def test_music_becomes_a_roll_its_notes_and_a_picture(tmp_path: Path) -> None:
    roll = np.zeros((11, 88), np.uint8)
    roll[:, [39, 43]] = 1
    data = collection(tmp_path / "music", "JSB_Chorales", roll)
    folder = train(tmp_path / "run", "Music", "jsb", {"H": 3}, data=str(data))
    assert json.loads((folder / FACTS).read_text(encoding="utf-8")) == {"lowest": 21, "steps": 11}
    out = tmp_path / "tune.npz"
    assert said(folder, "--samples", "2", "-o", str(out)) == ""
    with np.load(out) as file:
        written = {name: file[name] for name in file.files}
    assert {name: a.dtype.name for name, a in written.items()} == {
        "roll": "uint8",
        "roll_len": "int32",
        "notes": "int32",
    }
    assert written["roll"].shape == (22, 88)
    assert written["roll_len"].tolist() == [11, 11]
    again = np.zeros((2, 11, 88), np.uint8)
    for number, key, start, length in written["notes"]:
        again[number, start : start + length, key - 21] += 1
    np.testing.assert_array_equal(again.reshape(22, 88), written["roll"])
    assert (tmp_path / "tune.png").read_bytes()[:4] == b"\x89PNG"
    assert "music is written to a file: pass -o NAME.npz" in refused(folder)
    assert "pass -o NAME.npz, not " in refused(folder, "-o", str(tmp_path / "tune.mid"))
    assert "--prompt is for text; this model generates music" in refused(folder, "--prompt", "C", "-o", str(out))
    assert "a beam is for models that generate symbols" in refused(folder, "--beam", "2", "-o", str(out))


def test_notes_are_told_by_key_beginning_and_length() -> None:
    roll = np.array([[1, 0], [1, 1], [0, 1], [1, 1]])
    assert music.notes(roll, 60).tolist() == [[60, 0, 2], [61, 1, 3], [60, 3, 1]]
    assert music.name(60) == "C4"
    assert music.name(21) == "A0"


# -------------------------------------------------------------------------------------------------------------- strokes


def test_strokes_become_lines_in_the_units_of_the_data(tmp_path: Path) -> None:
    rows = np.array([[3, 40, 0], [-5, 10, 1], [8, -30, 0], [2, 3, 1]], np.int16)
    data = collection(tmp_path / "strokes", "kanji_short", rows)
    folder = train(tmp_path / "run", "Strokes", "kanji", {"H": 2, "M": 2, "L": 1, "Cell": "GRU"}, data=str(data))
    scale = np.concatenate([rows])[:, :2].std(0)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    assert facts == {"scale": pytest.approx(scale.tolist()), "steps": 4}
    out = tmp_path / "drawing.svg"
    assert said(folder, "--samples", "3", "-o", str(out)) == ""
    found = trained(folder)
    pieces = generate(found.model, found.params, 4, samples=3)
    assert out.read_text(encoding="utf-8") == strokes.svg([p.values * [*scale, 1] for p in pieces])
    assert "a drawing is written to a file: pass -o NAME.svg" in refused(folder)


def test_a_text_is_written_by_a_pen(tmp_path: Path) -> None:
    glyphs = ["  699  1JZ", *["    8  9MWOMOV RUMUV ROQUQ"] * 95]
    (tmp_path / "hershey_rowmans.jhf").write_text("\n".join(glyphs) + "\n", encoding="latin-1")
    shape = {"V": 27, "H": 2, "M": 2, "L": 1, "K": 2}
    folder = train(
        tmp_path / "run", "Handwriting", "hershey", shape, data=str(tmp_path), task_options={"steps": 2, "held": 4}
    )
    facts, out = json.loads((folder / FACTS).read_text(encoding="utf-8")), tmp_path / "drawing.svg"
    assert said(folder, "--source", "no way", "--samples", "2", "--bias", "0.5", "-o", str(out)) == ""
    found = trained(folder)
    source = [facts["vocabulary"]["text"].index(letter) for letter in "no way"]
    most = math.ceil(2 * facts["pace"] * len(source))
    pieces = generate(found.model, found.params, most, source=source, samples=2, choice=Choice(bias=0.5))
    drawn = strokes.svg([p.values * [*facts["scale"], 1] for p in pieces], 3.0)
    assert out.read_text(encoding="utf-8") == drawn
    assert 'viewBox="0 0 600 400"' in drawn
    assert "no source given: this model reads one, pass --source TEXT" in refused(folder, "-o", str(out))
    assert "the source is empty: pass --source TEXT" in refused(folder, "--source", "", "-o", str(out))
    assert "the source has 'N', '!', which are unknown characters" in refused(folder, "--source", "No!", "-o", str(out))
    assert "--prompt is for text" in refused(folder, "--source", "no", "--prompt", "a", "-o", str(out))
    assert "do the same" in refused(folder, "--source", "no", "--bias", "1", "--temperature", "2", "-o", str(out))


def test_a_bias_is_for_strokes_alone(verses: Path) -> None:
    assert "--bias is for strokes; this model generates text" in refused(verses, "--bias", "1")


def test_a_lifted_pen_draws_no_line() -> None:
    steps = np.array([[1, 1, 0], [2, 0, 1], [0, 5, 1], [1, 0, 0], [1, 1, 0]], float)
    found = [line.tolist() for line in strokes.lines(steps)]
    assert found == [[[1, 1], [3, 1]], [[3, 6]], [[4, 6], [5, 7]]]
    assert strokes.svg([steps, steps]).count("<path ") == 6


def test_a_drawing_lies_within_its_square() -> None:
    rng = np.random.default_rng(0)
    for size in (0.0, 1e-3, 1e6):
        text = strokes.svg([np.concatenate([size * rng.standard_normal((30, 2)), np.zeros((30, 1))], 1)])
        numbers = [float(n) for n in text.split('d="M')[1].split('"')[0].replace("L", "").split()]
        assert 0 <= min(numbers) <= max(numbers) <= strokes.CELL
