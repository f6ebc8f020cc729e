"""A trained run says of each sequence what its model says of it alone, whatever the data come as."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.predicting import LoadedRun, Predictions
from recurrency.predicting.data import from_arrays
from recurrency.predicting.outputs import outputs
from recurrency.training.tasks.comparisons import kinds_of
from tests.support.predicting import labelled, rows, trained, with_weights

FRAMES = """
use GRU, Linear from library

cell Frames[N, K, H = 4](x: [N], label: index[K]) -> (logits: [K], size: []) {
    hidden = GRU[H](x)
    logits = Linear[K](hidden)
    size   = sum(hidden)

    loss cross_entropy(logits, label)
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames")
    return trained(path, FRAMES, labelled(path / "my.csv"), N=2, K=3)


@pytest.fixture(scope="module")
def loaded(folder: Path) -> LoadedRun:
    found: LoadedRun = rc.load_run(folder)
    return found


def softmax(scores: Any) -> Any:
    return np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)


def test_each_sequence_has_the_outputs_that_it_has_alone(tmp_path: Path, loaded: LoadedRun) -> None:
    """Ragged, more than one batch, without the target."""
    data = labelled(tmp_path / "new.csv", 70, label=False)
    found = loaded.predict(data, streams=["hidden"])
    assert list(found.names) == [f"s{number}" for number in range(70)]
    assert list(found.values) == ["logits", "logits.probability", "logits.class", "size", "hidden"]
    for number, (name, x) in enumerate(rows(data).items()):
        run = loaded.model.forward(loaded.params, {"x": x[:, None]}, streams=["hidden"])
        logits = run.outputs["logits"][:, 0]
        for what, wanted in {
            "logits": logits,
            "logits.probability": softmax(logits),
            "size": run.outputs["size"][:, 0],
            "hidden": run.streams["hidden"][:, 0],
        }.items():
            np.testing.assert_allclose(found[what][number], wanted, rtol=1e-12, atol=1e-12, err_msg=f"{name} {what}")
        np.testing.assert_array_equal(found["logits.class"][number], logits.argmax(1))


def test_the_model_in_python_needs_no_target(loaded: LoadedRun) -> None:
    assert loaded.model.forward(loaded.params, np.zeros((3, 2, 2))).outputs["logits"].shape == (3, 2, 3)


def test_arrays_and_lists_and_files_of_all_kinds_say_the_same(tmp_path: Path, loaded: LoadedRun) -> None:
    data = labelled(tmp_path / "new.csv", 6, label=False)
    lists = list(rows(data).values())
    wanted = loaded.predict(data)["logits"]
    lengths = np.array([len(x) for x in lists])
    padded = np.full((6, lengths.max(), 2), 7.0)
    for number, x in enumerate(lists):
        padded[number, : len(x)] = x
    np.savez(tmp_path / "new.npz", x=padded, lengths=lengths)
    for given in (lists, {"x": lists}, {"x": padded, "lengths": lengths}, tmp_path / "new.npz"):
        for one, other in zip(loaded.predict(given)["logits"], wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
    np.save(tmp_path / "one.npy", lists[3])
    np.testing.assert_allclose(loaded.predict(tmp_path / "one.npy")["logits"][0], wanted[3], rtol=1e-12)


def test_a_table_without_names_of_sequences_is_one_sequence(tmp_path: Path, loaded: LoadedRun) -> None:
    (tmp_path / "one.csv").write_text("x.0,x.1\n1,2\n3,4\n", encoding="utf-8")
    (found,) = loaded.predict(tmp_path / "one.csv").output
    np.testing.assert_allclose(found, loaded.predict([np.array([[1.0, 2.0], [3.0, 4.0]])]).output[0], rtol=1e-12)


def test_steps_that_are_masked_keep_their_rows(tmp_path: Path, loaded: LoadedRun) -> None:
    text = "sequence,x.0,x.1,mask\na,1,2,1\na,9,9,0\na,3,4,1\n"
    (tmp_path / "gaps.csv").write_text(text, encoding="utf-8")
    (found,) = loaded.predict(tmp_path / "gaps.csv").output
    whole = loaded.predict([np.array([[1.0, 2.0], [3.0, 4.0]])]).output[0]
    np.testing.assert_allclose(found, whole[[0, 0, 1]], rtol=1e-12)


def test_without_data_the_test_part_of_the_runs_own_is_read(folder: Path, loaded: LoadedRun) -> None:
    parts = {split: loaded.predict(split=split) for split in ("train", "valid", "test")}
    assert sorted(name for part in parts.values() for name in part.names) == sorted(f"s{n}" for n in range(24))
    assert loaded.predict().names == parts["test"].names
    x = rows(folder.parent / "my.csv")
    for name, found in zip(parts["test"].names, parts["test"].output, strict=True):
        np.testing.assert_allclose(found, loaded.predict([x[name]]).output[0], rtol=1e-12)


def test_the_last_step_is_that_of_each_sequence(tmp_path: Path, loaded: LoadedRun) -> None:
    data = labelled(tmp_path / "new.csv", 6)
    whole, last = loaded.predict(data), loaded.predict(data).last()
    np.testing.assert_array_equal(np.stack(last.output), [a[-1] for a in whole.output])
    assert last.clocks["logits"] is None


CLOCKS = """
use GRU, Linear from library

cell Clocks(src: index[4] over s, x: [2] over t, k: index[3]) -> (y: [3], z: [2], weight: []) {
    param w : [] ~ normal(0, 1)

    read   = last(GRU[2](onehot(src)))
    z      = Linear[2](GRU[3](x)) + read
    y      = Linear[3](read)
    weight = w

    loss cross_entropy(y, last(k))
}
"""


def test_values_of_sequences_of_steps_of_other_clocks_and_of_all(tmp_path: Path) -> None:
    model = rc.parse(CLOCKS).compile(backend="numpy", dtype="float64")
    params, rng = model.init(seed=3), np.random.default_rng(0)
    src = [rng.integers(0, 4, n) for n in (3, 1, 5)]
    x = [rng.standard_normal((n, 2)) for n in (2, 6, 1)]
    needed = model.reads("output")
    found = outputs(model, params, from_arrays({"src": src, "x": x}, model, needed), (), kinds_of(model), 0)
    assert found.clocks == {
        "y": None,
        "y.probability": None,
        "y.class": None,
        "z": "t",
        "weight": None,
    }
    for number in range(3):
        one = {"src": src[number][:, None], "x": x[number][:, None]}
        run = model.forward(params, one)
        np.testing.assert_allclose(found["y"][number], run.outputs["y"][0], rtol=1e-12)
        np.testing.assert_allclose(found["z"][number], run.outputs["z"][:, 0], rtol=1e-12)
        np.testing.assert_allclose(found["y.probability"][number], softmax(run.outputs["y"][0]), rtol=1e-12)
        assert found["weight"][number] == run.outputs["weight"]
    found.save(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["lengths"].tolist() == [2, 6, 1]
        assert arrays["y"].shape == (3, 3)


# --------------------------------------------------------------------------------------------------------------- files


def test_what_is_written_can_be_read_again(tmp_path: Path, loaded: LoadedRun) -> None:
    found = loaded.predict(labelled(tmp_path / "new.csv", 6), streams=["hidden"])
    found.save(tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split(",")[:6] == ["sequence", "step", "logits.0", "logits.1", "logits.2", "logits.probability.0"]
    assert [line.split(",")[:2] for line in lines[1:4]] == [["s0", "0"], ["s0", "1"], ["s1", "0"]]
    numbers = np.array([[float(cell) for cell in line.split(",")[2:5]] for line in lines[1:]])
    np.testing.assert_array_equal(numbers, np.concatenate(found["logits"]))
    found.save(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["lengths"].tolist() == [len(a) for a in found.output]
        assert arrays["sequence"].tolist() == list(found.names)
        for number, rows_ in enumerate(found["hidden"]):
            np.testing.assert_array_equal(arrays["hidden"][number, : len(rows_)], rows_)
            assert not arrays["hidden"][number, len(rows_) :].any()


def test_an_npy_file_holds_the_only_output(tmp_path: Path, loaded: LoadedRun) -> None:
    with pytest.raises(UsageError, match=r"an .npy file holds one array, but there are the outputs logits, size"):
        loaded.predict(np.zeros((2, 3, 2))).save(tmp_path / "out.npy")
    one = Predictions({"y": [np.zeros(2), np.zeros(3)]}, {"y": "t"}, ["a", "b"], np.zeros(2, int), ("y",))
    with pytest.raises(UsageError, match=r"but there are sequences of unequal length"):
        one.save(tmp_path / "out.npy")
    one.last().save(tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape == (2,)


def test_values_of_whole_sequences_stand_beside_each_step(tmp_path: Path) -> None:
    values = {"y": [np.array([1.0, 2.0]), np.array([3.0])], "whole": [np.array([5, 6]), np.array([7, 8])]}
    found = Predictions(values, {"y": "t", "whole": None}, ['a,"b"', "c"], np.array([0, 4]), ("y",))
    found.save(tmp_path / "out.csv")
    said = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert said == 'sequence,step,y,whole.0,whole.1\n"a,""b""",0,1.0,5,6\n"a,""b""",1,2.0,5,6\nc,4,3.0,7,8\n'


def test_a_parquet_file_is_the_same_table(tmp_path: Path, loaded: LoadedRun) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    data = labelled(tmp_path / "new.csv", 6)
    loaded.predict(data).save(tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    np.testing.assert_array_equal(table["logits.1"].to_numpy(), np.concatenate(loaded.predict(data)["logits"])[:, 1])
    pyarrow = pytest.importorskip("pyarrow")
    x = rows(data)
    columns = {"sequence": [name for name, a in x.items() for _ in a]}
    columns |= {f"x.{k}": np.concatenate(list(x.values()))[:, k] for k in range(2)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "new.parquet")
    for one, other in zip(loaded.predict(tmp_path / "new.parquet").output, loaded.predict(data).output, strict=True):
        np.testing.assert_array_equal(one, other)


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "new.csv is empty"),
        ("sequence,x.0,x.1\n", "new.csv has no rows below its header"),
        ("sequence,x.1\na,1\n", "new.csv: x has N=2 columns, x.0, x.1; the file has x.1$"),
        ("sequence,x.0,x.1,x.2\na,1,2,3\n", "x has N=2 columns, x.0, x.1; the file has x.0, x.1, x.2$"),
        ("sequence,label\na,1\n", "x has N=2 columns, x.0, x.1; the file has none of them; it has sequence, label"),
        ("sequence,x.0,x.1\na,1,two\n", "new.csv, line 2, x.1: 'two' is not a number"),
        ("sequences,x.0,x.1\na,1,2\n", "has no column sequence; did you mean sequences"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, loaded: LoadedRun, text: str, words: str) -> None:
    (tmp_path / "new.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        loaded.predict(tmp_path / "new.csv")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "x holds no sequence"),
        (np.zeros((0, 5, 2)), "x holds no sequence"),
        ([np.zeros((0, 2))], "x of the data, sequence 0: it has no steps"),
        (np.zeros((5, 2)), r"x is \[5, 2\]; it must be \[sequences, steps, 2\], or a list of sequences"),
        (np.zeros((4, 5, 3)), r"sequence 0: a step is \[3\]; the spec needs \[2\]"),
        ([np.full((3, 2), np.nan)], "sequence 0, step 0: element 0: there is no value; train with"),
        ({"y": np.zeros((1, 5, 2))}, "Frames has no input y; it has x, label"),
        ({"label": np.zeros((1, 5), int)}, "the input x is missing; needed are x"),
        ({"x": np.zeros((2, 5, 2)), "lengths": [1, 9]}, r"lengths\[1\] is 9; x has 5 steps there"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(loaded: LoadedRun, data: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        loaded.predict(data)


def test_unknown_streams_and_splits_are_named(tmp_path: Path, loaded: LoadedRun) -> None:
    with pytest.raises(UsageError, match="Frames has no stream hiden; did you mean hidden"):
        loaded.predict(streams=["hiden"])
    with pytest.raises(UsageError, match="has no sequence of the split test; it has train"):
        loaded.predict(labelled(tmp_path / "new.csv", 6), split="test")
    with pytest.raises(UsageError, match="there is no split tests; there are train, valid, test"):
        loaded.predict(split="tests")


def test_a_folder_of_another_version_is_named_as_such(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    text = (tmp_path / "old" / "run.toml").read_text(encoding="utf-8")
    text = text.replace(f'recurrency = "{rc.__version__}"', 'recurrency = "7.0"').replace(
        "[training]", "[training]\nwarp = 3"
    )
    (tmp_path / "old" / "run.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        rc.load_run(tmp_path / "old")
    assert "there is no key warp in [training]" in str(refused.value)
    assert "The folder was written by recurrency 7.0; this is " in str(refused.value)


def test_a_shipped_cell_that_has_changed_is_named(tmp_path: Path, folder: Path, loaded: LoadedRun) -> None:
    """The run uses GRU and Linear; what else is in their files, comments and layout do not count."""
    shutil.copytree(folder, tmp_path / "old")
    gru = tmp_path / "old" / "spec" / "library" / "gru.rnn"
    text = gru.read_text(encoding="utf-8")
    other = text.replace("cell ChoGRU[", "cell Other[").replace('"""Gated recurrent', '"""The gated recurrent')
    assert other.count("The gated recurrent") > 0
    gru.write_text(f"# older\n{other}", encoding="utf-8")
    x = np.ones((1, 3, 2))
    np.testing.assert_array_equal(rc.load_run(tmp_path / "old").predict(x).output, loaded.predict(x).output)
    gru.write_text(text.replace("z = sigmoid(", "z = 1 - sigmoid("), encoding="utf-8")
    with pytest.raises(UsageError, match="GRU of the library has changed since this run was trained"):
        rc.load_run(tmp_path / "old")
    own = tmp_path / "old" / "spec" / "my.rnn"
    cure = own.read_text(encoding="utf-8").replace(
        "use GRU, Linear from library", 'use GRU from "library/gru.rnn"\nuse Linear from library'
    )
    own.write_text(cure, encoding="utf-8")
    assert not np.allclose(rc.load_run(tmp_path / "old").predict(x).output, loaded.predict(x).output)


def test_weights_of_another_model_or_none_are_refused(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "other")
    text = (tmp_path / "other" / "run.toml").read_text(encoding="utf-8").replace("K = 3", "K = 4")
    (tmp_path / "other" / "run.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"other can't be opened: .*logits"):
        rc.load_run(tmp_path / "other")
    (tmp_path / "other" / "best.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UsageError, match="cannot read weights from"):
        rc.load_run(tmp_path / "other")
    with pytest.raises(UsageError, match="holds no run"):
        rc.load_run(tmp_path)


def test_an_epoch_that_is_no_number_is_refused(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "odd")
    with_weights(tmp_path / "odd", epoch="one")
    with pytest.raises(UsageError, match="says that it is of the epoch 'one', which is no number; train again"):
        rc.load_run(tmp_path / "odd")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "nan")
    with_weights(tmp_path / "nan", **{"logits.b": [np.nan, 0, 0]})
    with pytest.raises(UsageError, match="has numbers that are not finite; train again"):
        rc.load_run(tmp_path / "nan")
