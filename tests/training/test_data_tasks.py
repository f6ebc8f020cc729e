"""Tasks over published data: what is in a batch is what is in the files, each time in the same parts."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import Array, Batch
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.images import read_idx
from tests.support.idx import idx
from tests.training.test_text_tasks import built


def epoch(task: Task, seed: int = 0) -> list[Batch]:
    return list(task.train(0, np.random.default_rng(seed)))


def parts(task: Task) -> dict[str, list[Batch]]:
    return {"train": epoch(task), "valid": list(task.valid()), "test": list(task.test())}


def sequences(batches: list[Batch], *names: str) -> list[tuple[Array, ...]]:
    """The arrays of every sequence, without padding."""
    out = []
    for batch in batches:
        steps = batch.steps(names[0])
        out += [tuple(batch.inputs[name][: steps[b], b] for name in names) for b in range(len(steps))]
    return out


def counts(task: Task) -> dict[str, int]:
    return {part: sum(next(iter(b.inputs.values())).shape[1] for b in own) for part, own in parts(task).items()}


# -------------------------------------------------------------------------------------------------------------- DNA


def dna(folder: Path, lines: list[str], name: str = "promoters") -> Path:
    (folder / f"{name}.data.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
    return folder


def test_labels_go_with_their_letters(tmp_path: Path) -> None:
    lines = [f"{'+' if i % 3 else '-'},s{i},\t\t{'acgt'[i % 4] * (i + 1)}" for i in range(20)]
    task = TASKS["promoters"].build(Settings(data=dna(tmp_path, [*lines, ""]), batch=4))
    assert counts(task) == {"train": 16, "valid": 2, "test": 2}
    seen = set()
    for own in parts(task).values():
        for x, label in sequences(own, "x", "label"):
            i = len(x) - 1
            assert (x == i % 4).all()
            assert (label == (0 if i % 3 else 1)).all()
            seen.add(i)
    assert seen == set(range(20))
    again = TASKS["promoters"].build(Settings(data=tmp_path, batch=4, seed=1))
    for one, other in zip([*task.valid(), *task.test()], [*again.valid(), *again.test()], strict=True):
        np.testing.assert_array_equal(one.inputs["x"], other.inputs["x"])
    assert task.facts == {"vocabulary": list("acgt"), "labels": ["+", "-"]}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+,a,acxt", "line 2: 'x' is none of the letters acgt"),
        ("?,a,acgt", r"line 2: the label is '\?'; it must be one of \+, -"),
        ("+,acgt", "line 2: it must be a label, a name and letters with commas between"),
        ("+,a,", "line 2: it must be a label, a name and letters"),
    ],
)
def test_a_bad_line_of_labelled_sequences_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TASKS["promoters"].build(Settings(data=dna(tmp_path, ["+,a,acgt", line])))


@pytest.mark.parametrize(
    ("name", "steps", "labels", "sizes"),
    [
        ("promoters", 57, {0: 53, 1: 53}, {"train": 84, "valid": 11, "test": 11}),
        ("splice", 60, {0: 679, 1: 673, 2: 1654}, {"train": 2405, "valid": 300, "test": 301}),
    ],
)
def test_sequences_of_bases_are_all_there(name: str, steps: int, labels: dict[int, int], sizes: dict[str, int]) -> None:
    task = built(name)
    assert counts(task) == sizes
    found = [row for own in parts(task).values() for row in sequences(own, "x", "label")]
    assert {len(x) for x, _ in found} == {steps}
    assert dict(zip(*np.unique([label[0] for _, label in found], return_counts=True), strict=True)) == labels


# ------------------------------------------------------------------------------------------------------------ images


@pytest.fixture
def digits(tmp_path: Path) -> tuple[Path, Array]:
    """Thirty images to train and ten to test, whose labels are their numbers modulo 10."""
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28))
    for name, own, pack in (("train", images[:30], gzip.compress), ("t10k", images[30:], bytes)):
        end = ".gz" if pack is gzip.compress else ""
        (tmp_path / f"{name}-images-idx3-ubyte{end}").write_bytes(pack(idx(own)))
        (tmp_path / f"{name}-labels-idx1-ubyte{end}").write_bytes(pack(idx(np.arange(len(own)) % 10)))
    return tmp_path, images


def mnist(digits: tuple[Path, Array], **options: Any) -> Task:
    return TASKS["mnist"].build(Settings(data=digits[0], batch=7), **{"held": 5, **options})


def test_an_image_is_read_pixel_by_pixel(digits: tuple[Path, Array]) -> None:
    task = mnist(digits)
    assert counts(task) == {"train": 25, "valid": 5, "test": 10}
    assert len(epoch(task)) == task.steps == 4
    for number, (x, label) in enumerate(sequences(list(task.test()), "x", "label")):
        np.testing.assert_allclose(x[:, 0] * 255, digits[1][30 + number].ravel(), atol=1e-9)
        assert (label == number).all()
        assert label.shape == (784,)
    valid = [label[0] for _, label in sequences(list(task.valid()), "x", "label")]
    assert valid == [5, 6, 7, 8, 9]


def test_an_image_is_read_row_by_row(digits: tuple[Path, Array]) -> None:
    task = mnist(digits, by="row", raw=True)
    assert task.inputs["x"].shape == (28,)
    ((x, _), *_) = sequences(list(task.test()), "x", "label")
    np.testing.assert_array_equal(x, digits[1][30])


def test_pooled_pixels_are_means_of_squares(digits: tuple[Path, Array]) -> None:
    ((x, _), *_) = sequences(list(mnist(digits, pool=4, raw=True).test()), "x", "label")
    image = digits[1][30]
    means = [image[r : r + 4, c : c + 4].mean() for r in range(0, 28, 4) for c in range(0, 28, 4)]
    np.testing.assert_allclose(x[:, 0], means, rtol=1e-6)


def test_one_order_of_pixels_holds_for_all_images_of_all_parts(digits: tuple[Path, Array]) -> None:
    plain, mixed = (parts(mnist(digits, permuted=permuted)) for permuted in (False, True))
    orders = set()
    for part in plain:
        for a, b in zip(plain[part], mixed[part], strict=True):
            for one, other in zip(a.inputs["x"].T[0], b.inputs["x"].T[0], strict=True):
                assert sorted(one) == sorted(other)
                assert not np.array_equal(one, other)
    places = np.random.default_rng(1).permutation(784)
    for own, labels in (("train-images-idx3-ubyte.gz", 30), ("t10k-images-idx3-ubyte", 10)):
        tagged = np.broadcast_to((places % 251).reshape(28, 28), (labels, 28, 28))
        pack = gzip.compress if own.endswith(".gz") else bytes
        (digits[0] / own).write_bytes(pack(idx(tagged)))
    for own_batches in parts(mnist(digits, permuted=True, raw=True)).values():
        orders |= {tuple(x[:, 0]) for x, _ in sequences(own_batches, "x", "label")}
    assert len(orders) == 1


def test_training_images_come_in_another_order_each_epoch(digits: tuple[Path, Array]) -> None:
    task = mnist(digits)
    one, again, other = (epoch(task, seed) for seed in (0, 0, 1))
    assert np.array_equal(one[0].inputs["x"], again[0].inputs["x"])
    assert not np.array_equal(one[0].inputs["x"], other[0].inputs["x"])
    totals = [sum(batch.inputs["x"].sum() for batch in batches) for batches in (one, other)]
    assert totals[0] == pytest.approx(totals[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pool": 3}, "the option pool of mnist must divide 28, not 3"),
        ({"held": 30}, "the option held of mnist must be less than the 30 training images"),
    ],
)
def test_options_of_images_that_do_not_fit_are_refused(
    digits: tuple[Path, Array], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        mnist(digits, **options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\x08", "is no IDX file of bytes"),
        (b"\0\0\x0d\x01\0\0\0\x01\0", "is no IDX file of bytes"),
        (idx(np.zeros((3, 2)))[:-1], r"has 5 bytes of data; its head says \[3, 2\]"),
        (b"\0\0\x08\x02\0\0", "is no IDX file of bytes"),
    ],
)
def test_an_image_file_that_is_cut_short_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_idx(tmp_path / "a")


def test_published_images_are_all_there() -> None:
    task = built("mnist", by="row")
    assert counts(task) == {"train": 55_000, "valid": 5_000, "test": 10_000}
    digits = np.concatenate([batch.inputs["label"][0] for batch in task.test()])
    assert np.bincount(digits).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


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
