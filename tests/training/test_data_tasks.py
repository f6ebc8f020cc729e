"""Tasks over published data: what is in a batch is what is in the files, each time in the same parts."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import Array
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.images import read_idx
from tests.support.idx import idx
from tests.support.task_data import counts, epoch, parts, sequences
from tests.training.test_text_tasks import built

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


def test_training_may_use_few_images(digits: tuple[Path, Array]) -> None:
    task = mnist(digits, most=8)
    assert counts(task) == {"train": 8, "valid": 5, "test": 10}
    assert task.steps == 2
    assert sorted(label[0] for _, label in sequences(epoch(task), "x", "label")) == list(range(8))
    assert counts(mnist(digits, most=1000))["train"] == 25


def test_an_image_is_read_row_by_row(digits: tuple[Path, Array]) -> None:
    task = mnist(digits, by="row", raw=True)
    assert task.inputs["x"].shape == (28,)
    ((x, _), *_) = sequences(list(task.test()), "x", "label")
    np.testing.assert_array_equal(x, digits[1][30])


def test_an_image_is_read_at_once(digits: tuple[Path, Array]) -> None:
    task = mnist(digits, by="image", pool=2, raw=True)
    assert task.inputs["x"].shape == (14 * 14,)
    ((x, label), *_) = sequences(list(task.test()), "x", "label")
    np.testing.assert_allclose(x, digits[1][30].reshape(14, 2, 14, 2).mean((1, 3)).reshape(1, -1), rtol=1e-6)
    assert label.shape == (1,)


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
