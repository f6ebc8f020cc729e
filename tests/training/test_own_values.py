"""What a user's file leaves out or writes as text becomes what a model reads: labels, masks, elapsed times, symbols."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.predicting import LoadedRun
from recurrency.training.data.own import Own, read_own
from recurrency.training.data.sequences import Input
from recurrency.training.runs.command import Request, run
from recurrency.training.tasks import Settings
from recurrency.training.tasks.own import own_task, reading_of
from tests.support.predicting import TRAINING

END = """
use GRU, Linear from library

cell End[N, K, H = 3](x: [N], label: index[K]) -> (logits: [K]) {
    logits = Linear[K](GRU[H](x))
    loss cross_entropy(last(logits), last(label))
}
"""
EACH = END.replace("last(logits), last(label)", "logits, label")
DECAY = """
use GRUD, Linear from library

cell Decay[N, H = 3](x: [N], m: [N], dt: [], y: [1], seen: []) -> (p: [1]) {
    p = Linear[1](GRUD[H](x, m, dt))
    loss squared_error(p, y) where seen
}
"""
WORDS = """
use GRU, Linear from library

cell Words[V, H = 3](x: index[V], target: index[V]) -> (logits: [V]) {
    logits = Linear[V](GRU[H](onehot(x)))
    loss cross_entropy(logits, target)
}
"""
SPLIT = "sequence,split,x.0,x.1,label\n"


def written(folder: Path, text: str, name: str = "my.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def read(path: Path, spec: str, ports: dict[str, Input], **options: Any) -> Own:
    return read_own(path, ports, reading_of(rc.parse(spec), options))


def trained(folder: Path, spec: str, data: Path, said: list[str] | None = None, **options: Any) -> LoadedRun:
    path = written(folder, spec, "my.rnn")
    request = Request(str(path), options=TRAINING, data=str(data), folder=str(folder / "run"), task_options=options)
    run(request, (said if said is not None else []).append)
    found: LoadedRun = rc.load_run(folder / "run")
    return found


LABELLED = {"x": Input((2,)), "label": Input((), 3)}


# ---------------------------------------------------------------------------------------------- one label a sequence


def test_a_label_that_is_written_once_is_that_of_its_sequence(tmp_path: Path) -> None:
    rows = "a,train,1,2,\na,train,1,2,2\na,train,3,2,\nb,train,1,2,1\nc,valid,1,2,0\nd,test,1,2,0\n"
    found = read(written(tmp_path, SPLIT + rows), END, LABELLED)
    assert [a.tolist() for a in found.splits["train"].inputs["label"]] == [[2, 2, 2], [1]]
    with pytest.raises(
        UsageError, match=r"line 2, label: there is no value; train with -T missing=zero to count it as no"
    ):
        read(tmp_path / "my.csv", EACH, LABELLED)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,train,1,2,1\na,train,1,2,2\n", "line 3, label: it is 2, and 1 before in the same sequence; the loss reads"),
        ("a,train,1,2,u\na,train,1,2,-1\na,train,1,2,v\n", "line 4, label: it is v, and u before in the same sequence"),
        ("a,train,1,2,\na,train,1,2,\n", "line 2, label: there is no value; label is one value for each sequence"),
    ],
)
def test_a_label_that_changes_or_is_missing_is_refused(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(written(tmp_path, SPLIT + rows), END, LABELLED)


def test_arrays_and_files_of_labels_have_one_value_for_each_sequence(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(12, 4, 2)), np.arange(12) % 3
    lengths = 1 + np.arange(12) % 4
    np.savez(tmp_path / "my.npz", x=x, label=y, lengths=lengths)
    np.savez(tmp_path / "full.npz", x=x, label=np.repeat(y[:, None], 4, 1), lengths=lengths)
    lines = [f"s{n},{a},{b}" for n in range(12) for a, b in x[n, : lengths[n]]]
    table = written(tmp_path, "\n".join(["sequence,x.0,x.1", *lines]))
    labels = written(tmp_path, "\n".join(["sequence,label", *(f"s{n},{y[n]}" for n in reversed(range(12)))]), "y.csv")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    wanted = read(tmp_path / "full.npz", END, LABELLED).splits
    for found in (read(tmp_path / "my.npz", END, LABELLED), read(table, END, LABELLED, labels=str(labels))):
        for split, data in wanted.items():
            for name, rows in data.inputs.items():
                assert all(map(np.array_equal, rows, found.splits[split].inputs[name]))
    whole = read(tmp_path / "x.npy", END, LABELLED, labels=str(tmp_path / "y.npy")).splits["train"]
    assert {len(set(a.tolist())) for a in whole.inputs["label"]} == {1}
    with pytest.raises(UsageError, match=r"label of .* is \[12\]; .* inputs that the loss reads once"):
        read(tmp_path / "my.npz", EACH, LABELLED)
    with pytest.raises(UsageError, match=r"y2\.csv has no row for the sequence s"):
        read(table, END, LABELLED, labels=str(written(tmp_path, "sequence,label\ns3,1\n", "y2.csv")))


def test_classes_keep_their_names(tmp_path: Path) -> None:
    """Trained with a file of labels, which are texts; evaluated in Python with one for each sequence."""
    rng, names = np.random.default_rng(0), ["no", "may be", "yes"]
    lines, labels = ["sequence,x.0,x.1"], ["sequence,label"]
    for n in range(24):
        labels.append(f"s{n},{names[n % 3]}")
        lines += [f"s{n},{a:.3f},{b:.3f}" for a, b in rng.normal(n % 3, 0.3, (2 + n % 2, 2))]
    data = written(tmp_path, "\n".join(lines))
    file = written(tmp_path, "\n".join(labels), "y.csv")
    said: list[str] = []
    loaded = trained(tmp_path, END, data, said, labels=str(file))
    assert "from the data: N=2, K=3" in said
    assert json.loads((tmp_path / "run" / "facts.json").read_text())["vocabulary"] == {"label": ["may be", "no", "yes"]}
    found = loaded.predict(data).last()
    order = ["may be", "no", "yes"]
    assert [str(a) for a in found["logits.label"]] == [order[int(a)] for a in found["logits.class"]]
    scored = loaded.evaluate(data, labels=file)["logits"]
    assert scored.labels == ("may be", "no", "yes")
    arrays = {"x": [np.zeros((2, 2)), np.ones((3, 2))], "label": ["yes", "no"]}
    assert np.asarray(loaded.evaluate(arrays)["logits"].confusion).sum(1).tolist() == [0, 1, 1]
    with pytest.raises(UsageError, match="label of the data, sequence 1, step 0: the symbol 'nein' is not in the"):
        loaded.evaluate({**arrays, "label": ["yes", "nein"]})


def test_data_that_do_not_fit_and_a_cell_without_a_loss_leave_no_folder(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n},{'no' if n % 2 else 'yes'}\n" for n in range(20))
    path = written(tmp_path, "sequence,x.0,label\n" + rows)
    with pytest.raises(UsageError, match=r"x has N=2 columns, x.0, x.1; the file has x.0"):
        trained(tmp_path, END.replace("N, K, H = 3", "K, N = 2, H = 3"), path)
    with pytest.raises(UsageError, match=r"Bare has no `loss` line.*recurrency train FrameRegressor -D Cell=.*my.rnn"):
        trained(tmp_path, "cell Bare[N](x: [N]) -> (y: [N]) {\n    y = x\n}\n", path)
    assert not (tmp_path / "run").exists()


# ------------------------------------------------------------------------------------------------- values, masks, times

GAPS = """sequence,split,time,x.0,x.1,y
a,train,0,1,,5
a,train,0.5,,,
a,train,2,3,4,6
b,train,1,,2,7
c,valid,0,0,0,0
d,test,0,0,0,0
"""
DECAYED = {"x": Input((2,)), "m": Input((2,)), "dt": Input(()), "y": Input((1,)), "seen": Input(())}


@pytest.mark.parametrize(("missing", "x"), [("zero", [[1, 0], [0, 0], [3, 4]]), ("last", [[1, 0], [1, 0], [3, 4]])])
def test_masks_times_and_values_in_place_of_missing_ones(tmp_path: Path, missing: str, x: Any) -> None:
    options = {"mask": "m=x, seen=y", "elapsed": "dt=time", "missing": missing}
    train = read(written(tmp_path, GAPS), DECAY, DECAYED, **options).splits["train"]
    first = {name: rows[0].tolist() for name, rows in train.inputs.items()}
    assert first == {
        "x": x,
        "m": [[1, 0], [0, 0], [1, 1]],
        "dt": [0, 0.5, 1.5],
        "y": [[5], [0], [6]],
        "seen": [1, 0, 1],
    }


def test_a_step_that_is_masked_out_adds_to_the_elapsed_time_and_a_reset_starts_it_anew(tmp_path: Path) -> None:
    time = "time,mask,resets\n0,1,0\n1,0,0\n3,1,0\n4,0,1\n7,1,0\n9,1,0\n".split("\n")
    lines = [f"a,train,{row},0,0,0,0" for row in time[1:-1]]
    more = ["b,valid,0,1,0,0,0,0,0", "c,test,0,1,0,0,0,0,0"]
    path = written(tmp_path, "\n".join(["sequence,split,time,mask,resets,x.0,x.1,y,z", *lines, *more]))
    ports = {name: DECAYED[name] for name in ("x", "dt", "y")}
    with pytest.warns(UserWarning, match="not read is the column z"):
        train = read(path, DECAY, ports, elapsed="dt=time").splits["train"]
    assert train.inputs["dt"][0].tolist() == [0, 3, 0, 2]


def test_files_with_masks_of_their_own_and_with_missing_values_are_learned_alike(tmp_path: Path) -> None:
    """Losses, predictions and scores are those of the columns m, dt and seen written out."""
    rng = np.random.default_rng(0)
    gaps, full = ["sequence,time,x.0,x.1,y"], ["sequence,x.0,x.1,m.0,m.1,dt,y,seen"]
    for n in range(12):
        t = np.cumsum(rng.exponential(size=4)).round(3)
        for k in range(4):
            x, m, there = rng.normal(size=2).round(3), rng.random(2) < 0.6, k == 3 or rng.random() < 0.6
            dt = 0 if k == 0 else round(t[k] - t[k - 1], 6)
            cells = [str(v) if ok else "" for v, ok in zip(x, m, strict=True)]
            gaps.append(f"{n},{t[k]},{cells[0]},{cells[1]},{k if there else ''}")
            full.append(f"{n},{x[0] * m[0]},{x[1] * m[1]},{m[0]:d},{m[1]:d},{dt},{k * there},{there:d}")
    one = written(tmp_path, "\n".join(gaps), "gaps.csv")
    other = written(tmp_path, "\n".join(full), "full.csv")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    a = trained(tmp_path / "a", DECAY, one, mask="m=x,seen=y", elapsed="dt=time")
    b = trained(tmp_path / "b", DECAY, other)
    np.testing.assert_allclose(a.params, b.params, rtol=1e-9)
    for p, q in zip(a.predict(one).output, b.predict(other).output, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-9)
    assert a.evaluate(one)["p"].values == pytest.approx(b.evaluate(other)["p"].values)
    assert a.evaluate(one)["p"].count == sum(line.endswith(",1") for line in full)
    rows = ["s,0,1,2,1", "s,1,5,5,0", "s,3,,1,1"]
    masked = written(tmp_path, "\n".join(["sequence,time,x.0,x.1,mask", *rows]), "masked.csv")
    without = written(tmp_path, "\n".join(["sequence,time,x.0,x.1", *(row[:-2] for row in rows[::2])]), "without.csv")
    np.testing.assert_allclose(a.predict(masked).output[0][[0, 2]], a.predict(without).output[0], rtol=1e-10)
    x = np.full((1, 2, 2), np.nan)
    assert np.isfinite(a.predict({"x": x, "time": np.array([[0.0, 2.0]])}).output[0]).all()


BOTH = {"mask": "m=x,seen=y"}


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {}, "line 2, x: element 1: there is no value; train with -T missing=zero to count it as 0, or with"),
        ({}, {"mask": "m=x"}, "line 3, y: there is no value; the loss can leave it out: .*-T mask=m=y"),
        ({}, {"missing": "zero"}, "line 3, y: there is no value; the loss can leave it out"),
        ({",2,3,4,6": ",0.2,3,4,6"}, BOTH, "line 4, time: the time 0.2 is before 0.5, the last one"),
        ({",2,3,4,6": ",,3,4,6"}, BOTH, "line 4, time: the time is missing"),
        ({",4,": ",,", ",,2,": ",,,"}, BOTH, "element 1: x has no value at all in the sequences to train on"),
        ({}, {"mask": "x"}, "the option mask is of the form m=x, not 'x'"),
        ({}, {"missing": "mean"}, "the option missing of the data must be refuse or zero or last, not 'mean'"),
    ],
)
def test_missing_values_are_refused_where_nothing_is_said_about_them(
    tmp_path: Path, change: dict[str, str], options: dict[str, str], words: str
) -> None:
    text = GAPS
    for old, new in change.items():
        text = text.replace(old, new)
    filled = [part.partition("=")[0] for part in options.get("mask", "").split(",")]
    ports = {name: port for name, port in DECAYED.items() if name in ("x", "y", "dt", *filled)}
    with pytest.raises(UsageError, match=words):
        read(written(tmp_path, text), DECAY, ports, elapsed="dt=time", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask": "n=x"}, "the option mask: Decay has no input n; it has x, m, dt, y, seen"),
        ({"mask": "m=z"}, "the option mask: Decay has no input z"),
        ({"mask": "m=y"}, r"m must have real numbers, one for each step or as many as y, which is \[1\]"),
        ({"mask": "dt=x", "elapsed": "dt=time"}, "the input dt can't be a mask and an elapsed time"),
        ({"elapsed": "x=time"}, "the option elapsed: x must be one real number for each step"),
    ],
)
def test_rules_that_do_not_fit_the_spec_are_refused(tmp_path: Path, options: dict[str, str], words: str) -> None:
    model = rc.parse(DECAY).compile(N=2, backend="numpy")
    with pytest.raises(UsageError, match=words):
        own_task(Settings(written(tmp_path, GAPS)), model, **options)


# ------------------------------------------------------------------------------------------------------------- symbols


def words_of(folder: Path, name: str, *sentences: str) -> Path:
    rows = ["sequence,split,x,target"]
    for number, sentence in enumerate(sentences):
        split, *units = sentence.split()
        rows += [f"{number},{split},{a},{b}" for a, b in pairwise(units)]
    return written(folder, "\n".join(rows), name)


SYMBOLS = {"x": Input((), 9), "target": Input((), 9)}
TOLD = ("train the cat sat", "train a cat ran", "valid the cat ran", "test a cat sat")


def test_a_vocabulary_is_that_of_the_training_part(tmp_path: Path) -> None:
    """Inputs of one dimension share it; other symbols are <unk>, the last one."""
    found = read(words_of(tmp_path, "my.csv", *TOLD), WORDS, SYMBOLS)
    assert list(found.vocabulary) == ["x", "target"]
    assert all(list(known) == ["a", "cat", "ran", "sat", "the"] for known in found.vocabulary.values())
    assert found.splits["train"].inputs["x"][0].tolist() == [4, 1]
    found = read(words_of(tmp_path, "my.csv", *TOLD, "test the dog ran"), WORDS, SYMBOLS)
    assert list(found.vocabulary["x"]) == ["a", "cat", "ran", "sat", "the", "<unk>"]
    assert found.splits["test"].inputs["target"][1].tolist() == [5, 2]
    apart = WORDS.replace("[V, H", "[V, W, H").replace("target: index[V]", "target: index[W]").replace(": [V]", ": [W]")
    found = read(tmp_path / "my.csv", apart.replace("Linear[V]", "Linear[W]"), SYMBOLS)
    assert (list(found.vocabulary["x"]), list(found.vocabulary["target"])) == (
        ["a", "cat", "the", "<unk>"],
        ["cat", "ran", "sat", "<unk>"],
    )


@pytest.mark.parametrize(
    ("text", "ports", "words"),
    [
        ("x,target\n" + "a,a\n" * 30, SYMBOLS, "x and target of the sequences to train on: only the symbol 'a'"),
        ("x,target\n" + "a,1\nb,2\n" * 30, SYMBOLS, "have symbols of one vocabulary, so both must be texts, or both"),
        ("x,target\n" + "a,b\nb,c\n" * 30, {**SYMBOLS, "x": Input((), 2)}, "x has 3 symbols; the spec was compiled"),
    ],
)
def test_symbols_that_make_no_vocabulary_are_refused(tmp_path: Path, text: str, ports: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(written(tmp_path, text), WORDS, ports)


def test_a_run_knows_its_symbols(tmp_path: Path) -> None:
    said: list[str] = []
    loaded = trained(tmp_path, WORDS, words_of(tmp_path, "my.csv", *TOLD), said)
    assert "from the data: V=5" in said
    assert "x and target: 5 symbols from the training part, a, cat, ran, sat, the" in said
    found = loaded.predict({"x": [["the", "cat"], ["a"]]})
    run_ = loaded.model.forward(loaded.params, {"x": np.array([[4], [1]])})
    np.testing.assert_allclose(found.output[0], run_.output[:, 0], rtol=1e-10)
    assert found["logits.label"][0].tolist() == [
        loaded.facts["vocabulary"]["x"][k] for k in run_.output[:, 0].argmax(1)
    ]
    assert loaded.predict({"x": np.array([[4, 1]])}).output[0].tolist() == found.output[0].tolist(), "their numbers"
    new = written(tmp_path, "sequence,x\nq,the\nq,dog\n", "new.csv")
    with pytest.raises(
        UsageError, match=r"new\.csv, line 3, x: the symbol 'dog' is not in the vocabulary of the run, which"
    ):
        loaded.predict(new)
    found.save(tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["logits.label"].shape == (2, 2)
