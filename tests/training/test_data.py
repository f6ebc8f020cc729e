"""What data become on their way to a model: found, read, cut, sorted and padded without losing or inventing a step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import (
    PLACES,
    Array,
    Sequences,
    batches,
    find_data,
    pad,
    read_npz,
    read_ragged,
    read_user,
)
from recurrency.training.tasks import TASKS, Settings, first_element, from_sequences, readme_sample


@dataclass(frozen=True)
class Port:
    shape: tuple[int, ...]
    clock: str | None = "t"
    index: int | None = None


def ragged(lengths: list[int], width: int = 2) -> Sequences:
    """Sequences whose every number is unique, so that a lost one shows."""
    flat = np.arange(sum(lengths) * width, dtype=np.float64).reshape(-1, width) + 1
    return Sequences({"x": np.split(flat, np.cumsum(lengths)[:-1])}, {"x": "t"})


# ------------------------------------------------------------------------------------------- cutting and batching


def test_padding_puts_sequences_side_by_side_and_zeros_after_their_ends() -> None:
    out = pad([np.ones((2, 3)), 2 * np.ones((4, 3))], np.float32)
    assert out.shape == (4, 2, 3)
    assert out.dtype == np.float32
    assert (out[:2, 0] == 1).all()
    assert (out[2:, 0] == 0).all()
    assert (out[:, 1] == 2).all()


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_batches_hold_every_step_once(seed: int | None) -> None:
    data = ragged([5, 1, 9, 3, 3, 7, 2])
    rng = None if seed is None else np.random.default_rng(seed)
    seen: list[Array] = []
    for batch in batches(data, 3, np.float64, rng):
        x = batch.inputs["x"]
        steps, count = x.shape[:2]
        lengths = batch.steps("x")
        assert len(lengths) == count
        assert lengths.max() == steps
        seen += [x[:n, b] for b, n in enumerate(lengths)]
        assert all((x[n:, b] == 0).all() for b, n in enumerate(lengths))
    assert sorted(np.concatenate(seen)[:, 0]) == [row for a in data.inputs["x"] for row in a[:, 0]]


def test_batches_join_sequences_of_like_length() -> None:
    shapes = [b.inputs["x"].shape[0] for b in batches(ragged([9, 1, 8, 2, 1, 9]), 2, np.float64)]
    assert shapes == [1, 8, 9]


def test_batches_of_equal_lengths_need_no_lengths() -> None:
    assert [b.lengths for b in batches(ragged([4, 4, 4]), 2, np.float64)] == [None, None]


def test_the_order_of_batches_follows_from_the_generator() -> None:
    data = ragged([4] * 20)

    def order(seed: int) -> list[float]:
        return [float(b.inputs["x"][0, 0, 0]) for b in batches(data, 4, np.float64, np.random.default_rng(seed))]

    assert order(0) == order(0)
    assert order(0) != order(1)


@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
def test_cutting_keeps_all_steps_in_even_pieces(chunk: int) -> None:
    data = ragged([10, 4, 1])
    cut = data.cut(chunk)
    lengths = cut.lengths("t")
    assert lengths.max() <= chunk
    np.testing.assert_array_equal(np.concatenate(cut.inputs["x"]), np.concatenate(data.inputs["x"]))
    if chunk == 4:
        assert lengths.tolist() == [4, 3, 3, 4, 1]


def test_sequences_over_two_clocks_have_lengths_for_each() -> None:
    data = Sequences(
        {"src": [np.array([1, 2, 3]), np.array([4])], "tgt": [np.array([5]), np.array([6, 7])]},
        {"src": "s", "tgt": "t"},
        frozenset({"src", "tgt"}),
    )
    (batch,) = batches(data, 8, np.float32)
    assert isinstance(batch.lengths, dict)
    assert batch.lengths["s"].tolist() == [1, 3]
    assert batch.lengths["t"].tolist() == [2, 1]
    assert batch.inputs["src"].dtype == np.int64
    with pytest.raises(UsageError, match="several clocks"):
        data.cut(2)


# --------------------------------------------------------------------------------------------------- finding files


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("RECURRENCY_DATA", raising=False)
    return tmp_path


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_given_path_may_be_the_file_its_folder_or_the_folder_above(elsewhere: Path) -> None:
    file = put(elsewhere / "sets" / "music" / "a.npz")
    for given in (file, file.parent, file.parent.parent):
        assert find_data("music/a.npz", given) == file


def test_the_environment_comes_before_the_usual_folders(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [put(elsewhere / "here" / place / "music" / "a.npz") for place in reversed(PLACES)]
    assert find_data("music/a.npz").resolve() == usual[-1].resolve()
    usual[-1].unlink()
    assert find_data("music/a.npz").resolve() == usual[0].resolve()
    named = put(elsewhere / "named" / "a.npz")
    monkeypatch.setenv("RECURRENCY_DATA", str(elsewhere / "named"))
    assert find_data("music/a.npz") == named


def test_a_missing_file_is_answered_with_where_it_was_looked_for(elsewhere: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_data("music/a.npz")
    message = str(caught.value)
    assert all(str(Path(place) / "music" / "a.npz") in message for place in PLACES)
    assert "--data PATH" in message
    assert "RECURRENCY_DATA" in message


def test_a_given_path_is_the_only_one_looked_at(elsewhere: Path) -> None:
    put(elsewhere / "here" / "data" / "a.npz")
    with pytest.raises(UsageError, match="wrong"):
        find_data("music/a.npz", "wrong")


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no archive")
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 and then nothing")
    np.save(tmp_path / "b.npy", np.zeros(3))
    for name, words in (
        ("half.npz", "cannot read"),
        ("a.npz", "cannot read"),
        ("b.npy", "single array"),
        ("c.npz", "cannot read"),
    ):
        with pytest.raises(UsageError, match=words):
            read_npz(tmp_path / name)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(UsageError, match="cannot read"):
        read_npz(tmp_path / "a.npz")


def test_ragged_files_are_split_at_their_lengths(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {k: np.arange(12).reshape(6, 2) for k in ("train", "valid", "test")}
    lengths: dict[str, Any] = {"train_len": [1, 2, 3], "valid_len": [6], "test_len": [4, 2]}
    np.savez(tmp_path / "a.npz", **arrays, **lengths)
    found = read_ragged(tmp_path / "a.npz", "x")
    assert {k: v.lengths("t").tolist() for k, v in found.items()} == {"train": [1, 2, 3], "valid": [6], "test": [4, 2]}
    np.testing.assert_array_equal(found["train"].inputs["x"][1], [[2, 3], [4, 5]])


# ------------------------------------------------------------------------------------------------ a user's own data


def test_own_arrays_are_read_by_the_names_of_the_inputs(tmp_path: Path) -> None:
    x, w = np.random.default_rng(0).normal(size=(10, 5, 3)), np.arange(50).reshape(10, 5)
    lengths = np.array([5, 1, 2, 3, 4, 5, 5, 5, 5, 5])
    np.savez(tmp_path / "my.npz", x=x, w=w, lengths=lengths, valid_x=x[:2], valid_w=w[:2], test_x=x[:1], test_w=w[:1])
    found = read_user(tmp_path / "my.npz", {"x": Port((3,)), "w": Port((), index=50)})
    assert [len(found[k]) for k in ("train", "valid", "test")] == [10, 2, 1]
    assert found["train"].lengths("t").tolist() == lengths.tolist()
    assert found["train"].symbols == {"w"}
    np.testing.assert_array_equal(found["train"].inputs["x"][3], x[3, :3])


def test_a_tenth_is_set_aside_where_there_are_no_other_splits(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.arange(40.0).reshape(20, 2, 1))
    splits = [read_user(tmp_path / "my.npz", {"x": Port((1,))}) for _ in range(2)]
    assert [len(splits[0][k]) for k in ("train", "valid", "test")] == [16, 2, 2]
    firsts = {k: [float(a[0, 0]) for a in v.inputs["x"]] for k, v in splits[0].items()}
    assert sorted(value for part in firsts.values() for value in part) == list(np.arange(0.0, 40.0, 2))
    assert firsts == {k: [float(a[0, 0]) for a in v.inputs["x"]] for k, v in splits[1].items()}


@pytest.mark.parametrize(
    ("arrays", "port", "words"),
    [
        ({"y": np.zeros((9, 5, 3))}, Port((3,)), r"no array x \[sequences, steps, 3\]; it has y"),
        ({"x": np.zeros((9, 5, 4))}, Port((3,)), r"x of .* is \[9, 5, 4\]; the spec needs \[sequences, steps, 3\]"),
        ({"x": np.zeros((9, 5))}, Port((), index=7), "symbols of index.7. must be integers"),
        ({"x": np.zeros((9, 5, 3)), "lengths": np.full(8, 5)}, Port((3,)), r"lengths of .* it must be \[9\] integers"),
        ({"x": np.zeros((9, 5, 3)), "lengths": np.full(9, 6)}, Port((3,)), "sequence 0, is 6; the arrays have 5 steps"),
        ({"x": np.zeros((2, 5, 3))}, Port((3,)), "2 sequences, too few to set some aside"),
    ],
)
def test_own_data_that_do_not_fit_are_told_in_the_words_of_the_spec(
    tmp_path: Path, arrays: dict[str, Array], port: Port, words: str
) -> None:
    np.savez(tmp_path / "my.npz", **arrays)
    with pytest.raises(UsageError, match=words):
        read_user(tmp_path / "my.npz", {"x": port})


def test_inputs_must_agree_in_their_number_of_sequences(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.zeros((9, 5)), z=np.zeros((8, 5)))
    with pytest.raises(UsageError, match="differ in their number of sequences"):
        read_user(tmp_path / "my.npz", {"x": Port(()), "z": Port(())})


# ------------------------------------------------------------------------------------------------------------ tasks


def test_first_element_draws_fresh_bits_and_keeps_its_judges() -> None:
    task = first_element(Settings(batch=7, length=9, seed=3), steps=5)
    first, second = (list(task.train(e, np.random.default_rng(e))) for e in (0, 1))
    assert len(first) == task.steps == 5
    assert first[0].inputs["x"].shape == (9, 7, 1)
    assert set(np.unique(first[0].inputs["x"])) == {0.0, 1.0}
    assert not np.array_equal(first[0].inputs["x"], second[0].inputs["x"])
    for stream in (task.valid, task.test):
        pairs = zip(stream(), stream(), strict=True)
        assert all(np.array_equal(a.inputs["x"], b.inputs["x"]) for a, b in pairs)


def test_the_sample_run_draws_what_the_first_readme_drew() -> None:
    np.random.seed(123)  # noqa: NPY002 (the old script did just this)
    old = [np.random.randint(2, size=(30, 1)) for _ in range(2000)]  # noqa: NPY002
    task = readme_sample(Settings(length=30))
    for _ in range(2):
        new = [b.inputs["x"] for epoch in (0, 1) for b in task.train(epoch, np.random.default_rng())]
        assert len(new) == 2000
        assert all(np.array_equal(a, b[:, 0]) for a, b in zip(old, new, strict=True))


def test_a_task_over_sequences_cuts_only_what_it_learns_from() -> None:
    splits = {"train": ragged([250, 90]), "valid": ragged([250]), "test": ragged([120])}
    task = from_sequences("mine", splits, Settings(chunk=100, batch=2))
    learned = list(task.train(0, np.random.default_rng(0)))
    assert len(learned) == task.steps == 2
    assert sum(b.steps("x").sum() for b in learned) == 340
    assert [b.inputs["x"].shape[0] for b in task.valid()] == [250]
    assert [b.inputs["x"].shape[0] for b in task.test()] == [120]


FRAMES = {
    "jsb": (13_807, 4_602, 4_725),
    "nottingham": (176_561, 45_513, 44_463),
    "piano-midi": (75_911, 8_540, 19_036),
    "musedata": (245_202, 82_755, 64_339),
}


@pytest.mark.parametrize("name", FRAMES)
def test_music_feeds_every_frame_of_the_published_splits(name: str) -> None:
    settings = Settings(batch=64, dtype=np.float32)
    try:
        task = TASKS[name].build(settings, chunk=100)
    except UsageError as error:
        pytest.skip(str(error))
    streams = (task.train(0, np.random.default_rng(0)), task.valid(), task.test())
    assert tuple(sum(batch.steps("x").sum() for batch in stream) for stream in streams) == FRAMES[name]


def test_music_is_summed_over_notes_and_averaged_over_frames(tmp_path: Path) -> None:
    """Batches count by their frames, so a mean over batches is the frame mean that the papers print."""
    arrays: dict[str, Any] = {k: np.ones((6, 88), np.uint8) for k in ("train", "valid", "test")}
    np.savez(tmp_path / "JSB_Chorales.npz", **arrays, train_len=[6], valid_len=[6], test_len=[4, 2])
    task = TASKS["jsb"].build(Settings(data=tmp_path, batch=1))
    assert [batch.steps("x").sum() for batch in task.test()] == [2, 4]
