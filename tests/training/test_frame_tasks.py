"""Tasks of sentences and of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import Array
from recurrency.training.tasks import TASKS, Settings
from tests.support.task_data import counts, epoch, parts, sequences
from tests.training.test_text_tasks import built

# ------------------------------------------------------------------------------------------------------- translation


def corpus(folder: Path, english: list[str], german: list[str]) -> Path:
    for part in ("train", "val", "test_2016_flickr"):
        for language, lines in (("en", english), ("de", german)):
            (folder / f"{part}.lc.norm.tok.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


ENGLISH = ["a dog runs .", "a man runs .", "a dog and a man"]

GERMAN = ["ein hund rennt .", "ein mann rennt", "ein hund und ein mann"]


def test_a_sentence_and_its_translation_run_over_two_clocks(tmp_path: Path) -> None:
    task = TASKS["translation"].build(Settings(data=corpus(tmp_path, ENGLISH, GERMAN), batch=8), least=2)
    known = task.facts["vocabulary"]
    assert known["src"] == ["<unk>", "<eos>", "a", ".", "dog", "man", "runs"]
    assert known["tgt"] == ["<unk>", "<eos>", "ein", "hund", "mann", "rennt"]
    assert (task.inputs["src"].index, task.inputs["src"].clock) == (7, "s")
    assert (task.inputs["tgt"].index, task.inputs["tgt"].clock) == (6, "t")
    (batch,) = epoch(task)
    assert isinstance(batch.lengths, dict)
    pairs = set()
    for b in range(3):
        source, target = (
            " ".join(known[name][s] for s in batch.inputs[name][: batch.lengths[clock][b], b])
            for name, clock in (("src", "s"), ("tgt", "t"))
        )
        pairs.add((source, target))
    assert pairs == {
        ("a dog runs . <eos>", "ein hund rennt <unk> <eos>"),
        ("a man runs . <eos>", "ein mann rennt <eos>"),
        ("a dog <unk> a man <eos>", "ein hund <unk> ein mann <eos>"),
    }
    assert batch.lengths["t"].sum() == 5 + 4 + 6


def test_sentences_of_like_length_go_together(tmp_path: Path) -> None:
    lines = [" ".join(["a"] * n) for n in (9, 1, 8, 2, 9, 1)]
    other = [" ".join(["b"] * n) for n in (3, 5, 1, 1, 7, 2)]
    task = TASKS["translation"].build(Settings(data=corpus(tmp_path, lines, other), batch=2))
    shapes = [(b.inputs["src"].shape[0], b.inputs["tgt"].shape[0]) for b in task.test()]
    assert shapes == [(2, 6), (9, 2), (10, 8)]


def test_long_sentences_are_left_out_of_training_only(tmp_path: Path) -> None:
    data = corpus(tmp_path, ENGLISH, GERMAN)
    task = TASKS["translation"].build(Settings(data=data), longest=5)
    assert counts(task) == {"train": 2, "valid": 3, "test": 3}
    with pytest.raises(UsageError, match="no sentence of translation has at most 2 words"):
        TASKS["translation"].build(Settings(data=data), longest=2)


def test_languages_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tok.en has 3 lines and .*tok.de has 2; line by line they translate"):
        TASKS["translation"].build(Settings(data=corpus(tmp_path, ENGLISH, GERMAN[:2])))
    with pytest.raises(UsageError, match="the options source and target of translation are both en"):
        TASKS["translation"].build(Settings(data=tmp_path), target="en")
    with pytest.raises(UsageError, match=r"train.lc.norm.tok.fr is not at .*multi30k/dataset"):
        TASKS["translation"].build(Settings(data=tmp_path), target="fr")


@pytest.mark.parametrize(("target", "words"), [("de", 7_855), ("fr", 6_478)])
def test_published_sentences_have_the_words_that_are_known(target: str, words: int) -> None:
    task = built("translation", target=target)
    assert counts(task) == {"train": 29_000, "valid": 1_014, "test": 1_000}
    assert task.inputs["src"].index == 5_917 + 2
    assert task.inputs["tgt"].index == words + 2


# ------------------------------------------------------------------------------------------------------------ frames


def pieces(folder: Path, name: str, rows: Array, lengths: list[int]) -> Path:
    arrays = dict.fromkeys(("train", "valid", "test"), rows)
    np.savez(folder / f"{name}.npz", **arrays, **{f"{part}_len": np.array(lengths) for part in arrays})
    return folder


@pytest.mark.parametrize("chunk", [0, 2])
def test_strokes_are_divided_by_their_deviations_in_training(tmp_path: Path, chunk: int) -> None:
    rows = np.random.default_rng(0).integers(-90, 90, (9, 3)).astype(np.int16)
    rows[:, 2] = rows[:, 2] > 0
    task = TASKS["kanji"].build(Settings(data=pieces(tmp_path, "kanji_short", rows, [4, 5])), chunk=chunk)
    found = sequences(epoch(task), "x")
    assert sorted(len(x) for (x,) in found) == ([4, 5] if chunk == 0 else [1, 2, 2, 2, 2])
    x = np.concatenate([rows for (rows,) in sequences(list(task.test()), "x")])
    np.testing.assert_allclose(x[:, :2].std(0), 1)
    np.testing.assert_allclose(x[:, :2] * task.facts["scale"], rows[:, :2])
    np.testing.assert_array_equal(x[:, 2], rows[:, 2])


def spoken(folder: Path) -> tuple[Path, Array, Array]:
    """Two digits by two speakers, fifty times each."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 200).astype(np.int32)
    frames = rng.integers(0, 256, (int(lengths.sum()), 40)).astype(np.uint8)
    digit, index = np.repeat([3, 8], 100).astype(np.uint8), np.tile(np.arange(50), 4).astype(np.uint8)
    frames[:, 1] = np.repeat(index, lengths)
    np.savez(
        folder / "fsdd_logmel40.npz", frames=frames, lengths=lengths, digit=digit, index=index, db_lo=-80.0, db_step=0.5
    )
    return folder, frames, lengths


def test_a_digit_is_told_some_frames_after_it_is_heard(tmp_path: Path) -> None:
    folder, frames, lengths = spoken(tmp_path)
    task = TASKS["speech"].build(Settings(data=folder, batch=16), delay=2)
    assert counts(task) == {"train": 160, "valid": 20, "test": 20}
    rows = sequences(list(task.test()), "x", "label")
    starts = np.cumsum(lengths) - lengths
    wanted = sorted(tuple(frames[s : s + n, 0]) for s, n in zip(starts, lengths, strict=True))
    mean, deviation = np.array(task.facts["mean"]), np.array(task.facts["deviation"])
    for x, label in rows:
        assert (label[:2] == -1).all()
        assert len(set(label[2:])) == 1
        np.testing.assert_array_equal(x[-1], x[-3])
        raw = np.rint((x[:-2] * deviation + mean + 80) * 2).astype(int)
        assert tuple(raw[:, 0]) in wanted
        assert (raw[:, 1] < 5).all()
    heard = np.concatenate([x[:-2] for x, _ in sequences(epoch(task), "x", "label")])
    np.testing.assert_allclose(heard.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(heard.std(0), 1, atol=1e-5)
    scored = task.measure
    assert scored is not None
    batch = next(iter(task.test()))
    right = np.eye(10)[np.maximum(batch.inputs["label"], 0)]
    assert scored.each(right, batch).mean() == 0
    assert scored.each(1 - right, batch).size == (batch.steps("x") - 2).sum()


def test_spoken_digits_are_in_the_parts_of_their_authors() -> None:
    task = built("speech", delay=0)
    assert counts(task) == {"train": 2400, "valid": 300, "test": 300}
    assert sum(batch.steps("x").sum() for own in parts(task).values() for batch in own) == 125_237


def test_drawn_characters_are_all_there() -> None:
    assert counts(built("omniglot")) == {"train": 30_000, "valid": 1_000, "test": 1_000}
    assert counts(built("kanji")) == {"train": 10_000, "valid": 600, "test": 500}


# --------------------------------------------------------------------------------------------------- all of them


READ = ["jsb", "promoters", "splice", "mnist", "translation", "omniglot", "kanji", "speech", "shakespeare", "ptb"]


@pytest.mark.parametrize("name", READ)
def test_missing_data_are_answered_with_where_they_belong_and_whence_they_come(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECURRENCY_DATA", raising=False)
    with pytest.raises(UsageError) as caught:
        TASKS[name].build(Settings())
    message = str(caught.value)
    assert "is not at data/" in message
    assert "--data PATH or the environment variable RECURRENCY_DATA" in message
    assert "the data can be had from" in message
    assert "docs/tasks.md" in message


@pytest.mark.parametrize("name", READ)
def test_batches_of_data_hold_what_the_task_says(name: str) -> None:
    task = built(name)
    batch = next(iter(task.train(0, np.random.default_rng(0))))
    assert set(task.inputs) == set(batch.inputs) == set(TASKS[name].inputs)
    for key, port in task.inputs.items():
        array = batch.inputs[key]
        assert array.shape[2:] == port.shape
        assert array.dtype == (np.float64 if port.index is None else np.int64)
        assert port.index is None or (array >= -1).all() & (array < port.index).all()
    again = next(iter(task.train(0, np.random.default_rng(0))))
    assert all(np.array_equal(batch.inputs[key], again.inputs[key]) for key in batch.inputs)
