"""A user's own files are read as they are meant, and a bad one is answered with the first row that is bad."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import Array, Input, find_data, read_ragged, read_user
from recurrency.training.data.places import read_text
from recurrency.training.data.rows import first_wrong

X, W, M = Input((2,)), Input((), 3), Input((2, 2))


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "my.npz", **arrays)
    return folder / "my.npz"


def written(folder: Path, text: str, name: str = "my.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


# --------------------------------------------------------------------------------------------------- rows that are bad


@pytest.mark.parametrize(
    ("rows", "port", "words"),
    [
        ([[0, 1], [2, np.nan]], X, (1, "element 1: nan is not a finite number")),
        ([[np.inf, 1], [2, np.nan]], X, (0, "element 0: inf is not a finite number")),
        ([1, 2, 3, 0], W, (2, "3 is not one of the symbols 0 to 2 of the spec; the data have 4")),
        ([1, -2, 3, 0], W, (1, "-2 is not one of the symbols 0 to 2 of the spec")),
        ([1, 0.5], W, (1, "0.5 is not one of the symbols 0 to 2 of the spec")),
        ([0, -1, 2], W, None),
        ([[0, 1e30]], X, None),
        (["a"], X, (0, "texts are not numbers")),
    ],
)
def test_the_first_wrong_row_is_found(rows: Any, port: Input, words: Any) -> None:
    assert first_wrong(np.array(rows), port) == words


@pytest.mark.parametrize(
    ("bad", "words"), [(np.nan, "there is no value; train with -T missing="), (np.inf, "inf is not a finite")]
)
def test_a_step_that_is_not_finite_is_named(tmp_path: Path, bad: float, words: str) -> None:
    x = np.zeros((9, 5, 2))
    x[6, 3, 1] = bad
    with pytest.raises(UsageError, match=rf"x of .*my.npz, sequence 6, step 3: element 1: {words}"):
        read_user(saved(tmp_path, x=x), {"x": X})


def test_what_stands_after_the_end_of_a_sequence_is_not_looked_at(tmp_path: Path) -> None:
    x = np.zeros((9, 5, 2))
    x[:, 4] = np.nan
    found = read_user(saved(tmp_path, x=x, lengths=np.full(9, 4)), {"x": X})
    assert all(np.isfinite(a).all() for a in found["train"].inputs["x"])


def test_more_classes_than_the_spec_has_are_told(tmp_path: Path) -> None:
    w = np.zeros((9, 5), int)
    w[4, 2] = 3
    with pytest.raises(
        UsageError, match="sequence 4, step 2: 3 is not one of the symbols 0 to 2 of the spec; the data"
    ):
        read_user(saved(tmp_path, w=w), {"w": W})


def test_bad_rows_of_other_splits_are_told_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"valid_w of .* sequence 0, step 1: 5 is not one of the symbols"):
        read_user(saved(tmp_path, w=np.zeros((9, 2), int), valid_w=np.array([[0, 5]])), {"w": W})


def test_ragged_arrays_of_objects_are_answered_with_what_to_do(tmp_path: Path) -> None:
    ragged = np.array([np.zeros((2, 2)), np.zeros((3, 2))], dtype=object)
    with pytest.raises(UsageError, match=r"cannot read x of .*it holds objects, not numbers; pad .*`lengths`"):
        read_user(saved(tmp_path, x=ragged), {"x": X})


def test_lengths_that_do_not_add_up_are_told(tmp_path: Path) -> None:
    arrays = {k: np.zeros((6, 2)) for k in ("train", "valid", "test")}
    lengths = {"train_len": [1, 2, 4], "valid_len": [6], "test_len": [6, 0]}
    with pytest.raises(UsageError, match=r"train of .* has 6 steps, but train_len adds up to 7"):
        read_ragged(saved(tmp_path, **arrays, **lengths), "x")
    with pytest.raises(UsageError, match=r"test of .* has 6 steps, .* with sequences of 0 steps"):
        read_ragged(saved(tmp_path, **arrays, **{**lengths, "train_len": [1, 2, 3]}), "x")


# ------------------------------------------------------------------------------------------------------------ .csv

HEAD = "sequence,split,x.0,x.1,w\n"
ROWS = "a,train,1,2,0\na,train,3,4,-1\nb,train,5,6,2\nc,valid,7,8,1\nd,test,9,10,1\n"


def test_rows_become_steps_and_columns_become_inputs(tmp_path: Path) -> None:
    found = read_user(written(tmp_path, HEAD + ROWS), {"x": X, "w": W})
    assert {split: data.lengths("t").tolist() for split, data in found.items()} == {
        "train": [2, 1],
        "valid": [1],
        "test": [1],
    }
    np.testing.assert_array_equal(found["train"].inputs["x"][0], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(found["train"].inputs["w"][0], [0, -1])
    assert found["train"].inputs["w"][0].dtype == np.int64
    assert found["train"].symbols == {"w"}


def test_columns_may_stand_in_any_order_among_others_with_any_mark(tmp_path: Path) -> None:
    text = "w;time;sequence;x.1;x.0\n\n" + "".join(f"0;noon;{s};2;1\n" for s in range(9))
    with pytest.warns(UserWarning, match="not read are the columns w, time"):
        found = read_user(written(tmp_path, "\ufeff" + text), {"x": X})
    assert [len(found[k]) for k in ("train", "valid", "test")] == [7, 1, 1]
    np.testing.assert_array_equal(found["test"].inputs["x"][0], [[1, 2]])


def test_elements_of_a_matrix_have_two_numbers_and_a_single_number_has_none(tmp_path: Path) -> None:
    text = "sequence,m.0.0,m.0.1,m.1.0,m.1.1,y\n" + "".join(f"{s},1,2,3,4,5\n" for s in range(5))
    found = read_user(written(tmp_path, text), {"m": M, "y": Input((1,))})["train"]
    np.testing.assert_array_equal(found.inputs["m"][0], [[[1, 2], [3, 4]]])
    np.testing.assert_array_equal(found.inputs["y"][0], [[5]])


def test_a_cell_may_be_long_and_a_column_may_have_no_name(tmp_path: Path) -> None:
    text = "sequence,x.0,x.1,\n" + "".join(f"{str(s) * 200_000},1,2,\n" for s in range(5))
    with pytest.warns(UserWarning, match="not read is the column '': no input"):
        assert len(read_user(written(tmp_path, text), {"x": X})["train"]) == 3


def test_a_packed_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "my.csv.xz").write_bytes(lzma.compress((HEAD + ROWS).encode()))
    assert len(read_user(tmp_path / "my.csv.xz", {"x": X, "w": W})["train"]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "my.csv is empty"),
        (HEAD, "has no rows below its header"),
        ("sequence,x.0,w\na,1,2\n", r"my.csv: x has 2 columns, x.0, x.1; the file has x.0"),
        ("sequence,x.0,x.1,x.2,w\na,1,2,3,0\n", r"x has 2 columns, x.0, x.1; the file has x.0, x.1, x.2$"),
        ("sequence,x.0,x.2,w\na,1,2,0\n", r"x has 2 columns, x.0, x.1; the file has x.0, x.2$"),
        ("sequence,x,x.1,w\na,1,2,0\n", r"x has 2 columns, x.0, x.1; the file has x, x.1$"),
        ("sequence,x.0,x.1,x.01,w\na,1,2,3,0\n", r"x has 2 columns, x.0, x.1; the file has x.0, x.1, x.01$"),
        ("sequence,x.1,x.2,w\na,1,2,0\n", "the file has x.1, x.2; elements are numbered from 0"),
        ("a,1,1,2\na,1,2,2\n", "has no header: its first line has to name the columns"),
        (HEAD + ROWS + 'e,train,"1,2,0\n', r"my.csv, line 7: quotation marks around a cell are not closed"),
        (
            HEAD + ROWS + 'e,train,"1,2,0\n' + ROWS * 4000,
            r"my.csv, line 7: quotation marks around a cell are not closed",
        ),
        (HEAD + ROWS.replace("-1", "red"), "w has 4 symbols; the spec was compiled for 3"),
        (HEAD + "a,train,1,1,red\na,train,1,1,-1\n", "has 2 steps, too few to split by time"),
        ("sequence,x.0,x.1,x.0,w\na,1,2,3,0\n", "has the column x.0 twice; leave one out"),
        ("sequence,w,y.0,y.1\na,1,2,0\n", "x has 2 columns, x.0, x.1; the file has none of them; did you mean y.0"),
        ("sequence,x.0,x.1,w,w.0\na,1,2,0,0\n", "w has 1 column, w.0; the file has w, w.0"),
        (
            "sequence,splits,x.0,x.1,w\na,test,1,2,0\n",
            r"has the column splits, which nothing reads; did you mean split\?",
        ),
        (HEAD + ROWS + ",train,1,2,0\n", "line 7: the column sequence is empty; it names the row's sequence"),
        (HEAD + ROWS + "e,train,1_0,2,0\n", "line 7, x.0: '1_0' is not a number"),
        (HEAD + ROWS + "e,train,١,2,0\n", "line 7, x.0: '١' is not a number"),
        ("sequences,x.0,x.1,w\na,1,2,0\n", r"has no column sequence; did you mean sequences\?"),
        ("x.0,x.1,w\n1,2,0\n", "my.csv has 1 steps, too few to split by time: 80/10/10 leaves"),
        (HEAD + ROWS + "e,train,1,2\n", "my.csv, line 7: 4 cells; the header has 5"),
        (HEAD + ROWS + "e,train,one,2,0\n", "my.csv, line 7, x.0: 'one' is not a number"),
        (
            HEAD + ROWS + "e,train,2026-01-31,2,0\n",
            "x.0: '2026-01-31' is not a number; write dates as numbers, such as",
        ),
        (HEAD + "a,train,1,,0\n", "my.csv, line 2, x: element 1: there is no value; train with -T missing=zero"),
        (HEAD + ROWS + "\ne,train,nan,2,0\n", "my.csv, line 8, x: element 0: there is no value"),
        (HEAD + "a,train,1,inf,0\n", "my.csv, line 2, x: element 1: inf is not a finite number"),
        (HEAD + "a,train,1,1,0\na,train,1,1,3\n", "line 3, w: 3 is not one of the symbols 0 to 2 of the spec; the"),
        (HEAD + "a,train,1,1,0.5\n", "line 2, w: 0.5 is not one of the symbols"),
        (HEAD + ROWS + "a,train,1,2,0\n", "line 7: sequence a goes on after another one; put its rows together"),
        (HEAD + "a,train,1,1,0\na,test,1,1,0\n", "line 3: sequence a is in train and in test"),
        (HEAD + "a,learn,1,1,0\n", "line 2: the split is 'learn'; it must be train, valid or test"),
        (HEAD + "a,test,1,1,0\n", "has no sequence of the split train"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_user(written(tmp_path, text), {"x": X, "w": W})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(tmp_path: Path, end: str) -> None:
    found = read_user(written(tmp_path, (HEAD + ROWS).replace("\n", end)), {"x": X, "w": W})
    assert sum(map(len, found.values())) == 4


@pytest.mark.parametrize("x", [Input((1,)), Input(())])
def test_a_single_number_may_be_a_vector_of_one(tmp_path: Path, x: Input) -> None:
    columns = ["x"] if not x.shape else ["x", "x.0"]
    found = [
        read_user(written(tmp_path, f"sequence,{column}\n" + "".join(f"{s},{s}\n" for s in range(5))), {"x": x})
        for column in columns
    ]
    for one in found:
        assert sorted(float(a.item()) for part in one.values() for a in part.inputs["x"]) == [0, 1, 2, 3, 4]


def test_a_number_larger_than_the_dtype_is_named(tmp_path: Path) -> None:
    text = HEAD + ROWS + "e,train,1e39,2,0\n"
    with pytest.raises(UsageError, match=r"my.csv, line 7, x: element 0: 1e\+39 is larger than any float32; scale"):
        read_user(written(tmp_path, text), {"x": X, "w": W}, real="float32")
    x = np.ones((9, 4, 2))
    x[3, 2, 1] = -1e39
    with pytest.raises(UsageError, match=r"x of .*my.npz, sequence 3, step 2: element 1: -1e\+39 is larger than any"):
        read_user(saved(tmp_path, x=x), {"x": X}, real="float32")
    assert read_user(saved(tmp_path, x=x), {"x": X}, real="float64")


def test_too_few_sequences_are_counted_as_the_file_has_them(tmp_path: Path) -> None:
    text = "sequence,y\n" + "".join(f"{s},{s}\n" for s in range(3))
    with pytest.raises(UsageError, match="has 3 sequences, too few to set some aside"):
        read_user(written(tmp_path, text), {"y": Input()})


NAMES: list[tuple[dict[str, Array], str]] = [
    ({"length": np.full(9, 2)}, r"has the array length, which nothing reads; did you mean lengths\?"),
    ({"val_x": np.zeros((2, 4, 2))}, r"has the array val_x, which nothing reads; did you mean valid_x\?"),
    ({"valid_lengths": np.full(2, 2)}, "has valid_lengths, but no valid_x; add it, or leave both out"),
    ({"tests_x": np.zeros((2, 4, 2))}, r"did you mean test_x\?"),
]


@pytest.mark.parametrize(("more", "words"), NAMES)
def test_an_array_that_nothing_reads_is_named(tmp_path: Path, more: dict[str, Array], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_user(saved(tmp_path, x=np.zeros((9, 4, 2)), **more), {"x": X})


def test_what_nothing_reads_is_told_and_left_out(tmp_path: Path) -> None:
    x: Array = np.random.default_rng(0).normal(size=(9, 4, 2))
    with pytest.warns(UserWarning, match=r"not read are the arrays ids, place: no input of the spec has such a name"):
        read_user(saved(tmp_path, x=x, ids=np.arange(9), place=np.arange(9)), {"x": X})
    with pytest.warns(UserWarning, match="not read is the column age: no input of the spec has such a name"):
        read_user(written(tmp_path, HEAD.replace("w", "w,age") + ROWS.replace("\n", ",7\n")), {"x": X, "w": W})


def test_two_arrays_of_one_name_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path, x=np.zeros((9, 4, 2)))
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("x.npy", file.read("x.npy"))
    with pytest.raises(UsageError, match="has two arrays x; leave one out"):
        read_user(path, {"x": X})


def test_texts_are_symbols_and_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"w of the sequences to train on: only the symbol 'a'"):
        read_user(saved(tmp_path, w=np.full((9, 4), "a")), {"w": W})
    with pytest.raises(UsageError, match=r"x of .*my.npz: texts are not numbers"):
        read_user(saved(tmp_path, x=np.full((9, 4, 2), "a")), {"x": X})


@dataclass(frozen=True)
class Named(Input):
    """An input whose dimensions have names, as that of a compiled model."""

    dimensions: tuple[str, ...] = ()


def test_the_dimension_that_would_fit_is_told(tmp_path: Path) -> None:
    port = Named((3,), None, "t", ("N",))
    with pytest.raises(
        UsageError, match=r"x has N=3 columns, x.0, x.1, x.2; the file has x.0, x.1; compile it with -D N=2"
    ):
        read_user(written(tmp_path, HEAD + ROWS), {"x": port})
    with pytest.raises(UsageError, match=r"the spec needs \[sequences, steps, 3\]; compile it with -D N=2"):
        read_user(saved(tmp_path, x=np.zeros((9, 4, 2))), {"x": port})


def test_rows_cannot_hold_two_clocks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run over several clocks; put them into an .npz file"):
        read_user(written(tmp_path, HEAD + ROWS), {"x": X, "w": Input((), 3, "s")})


# ------------------------------------------------------------------------------------------------------ other files


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"my.mat is not of a known kind; data are in .npz, .npy, .csv, .parquet or .txt files"
    ):
        read_user(tmp_path / "my.mat", {"x": X})


def test_packed_files_are_found_and_read_as_plain_ones(tmp_path: Path) -> None:
    for name, pack in (("a.txt", bytes), ("b.txt.xz", lzma.compress), ("c.txt.gz", gzip.compress)):
        (tmp_path / name).write_bytes(pack("Ünder\r\nline\n".encode()))
        found = find_data(f"text/{name[:5]}", tmp_path)
        assert found == tmp_path / name
        assert read_text(found) == "Ünder\nline\n"


def test_a_folder_of_several_files_is_not_one_of_them(tmp_path: Path) -> None:
    written(tmp_path, "x", "a.txt")
    with pytest.raises(UsageError, match=r"b.txt is not at .*can be had from the moon"):
        find_data("b.txt", tmp_path / "a.txt", "the moon", alone=False)
    assert find_data("b.txt", tmp_path / "a.txt") == tmp_path / "a.txt"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "a.txt is empty"),
        ("a.txt", b"one\ntw\xff\n", "a.txt, line 2: byte 255 is not UTF-8"),
        ("a.txt.xz", b"no archive", "cannot unpack .*a.txt.xz"),
        ("a.txt.gz", b"no archive", "cannot read .*a.txt.gz: Not a gzipped file"),
        ("a.txt.xz", lzma.compress(b"x" * 99)[:-9], "cannot unpack .*a.txt.xz"),
    ],
)
def test_a_text_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_text(tmp_path / name)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*absent.csv: No such file"):
        read_user(tmp_path / "absent.csv", {"x": X})


def test_numbers_keep_their_place_from_either_kind_of_file(tmp_path: Path) -> None:
    x: Array = np.random.default_rng(0).normal(size=(9, 4, 2))
    lines = [f"{i},{a!r},{b!r}" for i, rows in enumerate(x.tolist()) for a, b in rows]
    path = written(tmp_path, "sequence,x.0,x.1\n" + "\n".join(lines))
    one, other = (read_user(p, {"x": X}) for p in (path, saved(tmp_path, x=x)))
    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(one[split].inputs["x"], other[split].inputs["x"])
