"""A spec is trained on a user's file, whatever kind of file it is, with the options that belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.loop import Options, train
from recurrency.training.loop.optimisers import Adam
from recurrency.training.tasks import Settings, Task
from recurrency.training.tasks.own import own_task

SUM = """
use GRU, Linear from library

cell Sum[H = 6](x: [2], y: [1]) -> (p: [1]) {
    p = Linear[1](GRU[H](x))
    loss squared_error(last(p), last(y))
}
"""
NEXT = """
use GRU, Linear from library

cell Next[V, H = 8](w: index[V]) -> (logits: [V]) {
    logits = Linear[V](GRU[H](onehot(w[t-1])))
    loss cross_entropy(logits, w)
}
"""


def model(text: str, **dimensions: Any) -> Any:
    return rc.parse(text).compile(dtype="float64", **dimensions)


def table(folder: Path, count: int = 20) -> Path:
    """Sequences of one to four steps whose answer is the sum of their last row."""
    rng = np.random.default_rng(0)
    lines = ["sequence,x.0,x.1,y"]
    for i in range(count):
        for a, b in rng.uniform(-1, 1, (1 + i % 4, 2)).round(3):
            lines.append(f"{i},{a},{b},{a + b}")
    (folder / "my.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "my.csv"


def sizes(task: Task) -> list[int]:
    streams = (task.train(0, np.random.default_rng(0)), task.valid(), task.test())
    return [sum(next(iter(batch.inputs.values())).shape[1] for batch in stream) for stream in streams]


def epoch(task: Task) -> list[Batch]:
    return list(task.train(0, np.random.default_rng(0)))


def test_a_table_of_rows_is_learned(tmp_path: Path) -> None:
    net = model(SUM)
    task = own_task(Settings(data=table(tmp_path, 60), batch=8), net)
    assert sizes(task) == [48, 6, 6]
    history = train(net, task, Options(Adam(0.02), epochs=40))
    assert history.test is not None
    assert history.test < 0.1 * history.epochs[0].train


def test_the_part_that_is_set_aside_and_the_longest_piece_can_be_chosen(tmp_path: Path) -> None:
    path = table(tmp_path)
    assert sizes(own_task(Settings(data=path), model(SUM), held=25)) == [10, 5, 5]
    cut = own_task(Settings(data=path), model(SUM), chunk=2)
    assert max(batch.inputs["x"].shape[0] for batch in epoch(cut)) == 2


def test_a_text_is_learned_under_the_name_that_the_spec_has(tmp_path: Path) -> None:
    (tmp_path / "my.txt").write_text("to be or not to be\n" * 20, encoding="utf-8")
    net = model(NEXT, V=8)
    task = own_task(Settings(data=tmp_path / "my.txt", batch=2), net, chunk=10, split="80/10/10")
    assert set(task.inputs) == {"w"}
    assert task.facts["vocabulary"] == list("\n benort")
    assert not epoch(task)[1].fresh
    history = train(net, task, Options(Adam(0.02), epochs=5))
    assert history.test is not None
    assert history.test < 0.6 * history.epochs[0].train


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("my.txt", NEXT, "w of the task text has 8 different symbols; the spec was compiled for 7"),
        ("my.txt", SUM, r"x of the task text is symbol of 8; the spec needs \[2\]"),
        (
            "my.txt",
            "cell A[N](z: [N]) -> (y: [N]) {\n y = z\n loss squared_error(y, z)\n}\n",
            "a text is made of symbols; the input z of the spec takes numbers",
        ),
        ("my.csv", NEXT, "my.csv has no column w; it has sequence, x.0, x.1, y"),
        ("my.dat", SUM, r"my.dat is not of a known kind; data are in .npz, .npy, .csv, .parquet or .txt files"),
    ],
)
def test_a_file_that_does_not_fit_the_spec_is_told(tmp_path: Path, name: str, text: str, words: str) -> None:
    table(tmp_path)
    (tmp_path / "my.txt").write_text("to be or not to be\n" * 20, encoding="utf-8")
    dimensions = {"V": 7} if "V" in text else {"N": 2} if "[N]" in text else {}
    with pytest.raises(UsageError, match=words):
        own_task(Settings(data=tmp_path / name, batch=2), model(text, **dimensions))


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("my.csv", "unit", "the task on my.csv has no option unit; it has chunk, held"),
        ("my.txt", "held", "the task text has no option held; it has unit, split, chunk, reset, steps, most, part"),
    ],
)
def test_options_of_another_kind_of_file_are_refused(tmp_path: Path, name: str, option: str, words: str) -> None:
    table(tmp_path)
    (tmp_path / "my.txt").write_text("to be\n" * 20, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        own_task(Settings(data=tmp_path / name), model(SUM), **{option: 1})
