"""Synthetic sequences of symbols, and texts with a rule."""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.data import Array, Batch
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.phrases import ARITHMETIC, XML
from recurrency.training.tasks.programs import PRINTED, WRITTEN, program
from recurrency.training.tasks.symbols import ORDERS
from tests.support.generated import MANY, columns, first, made, spread, two_marks

# ----------------------------------------------------------------------------------------------------------- symbols


PLACES = {
    ("martens", 2): [(1, 10), (40, 50)],
    ("martens", 3): [(1, 10), (30, 40), (50, 60)],
    ("hochreiter", 2): [(10, 20), (50, 60)],
    ("hochreiter", 3): [(10, 20), (33, 43), (66, 76)],
    ("pascanu", 2): [(10, 19), (50, 59)],
    ("pascanu", 3): [(10, 19), (30, 39), (60, 69)],
}


@pytest.mark.parametrize(("layout", "bits"), PLACES)
def test_symbols_whose_order_counts_lie_where_the_papers_say(layout: str, bits: int) -> None:
    batch = made("temporal-order", layout=layout, bits=bits)
    found, kinds = [], []
    told = layout != "pascanu"
    for x, label in columns(batch, "x", "label"):
        at = np.flatnonzero((x == 4) | (x == 5))
        assert len(at) == bits
        assert (label == int("".join(str(s - 4) for s in x[at]), 2)).all()
        assert (x[0] == 7) == (x[-1] == 6) == told
        assert not np.isin(x[1:-1], (6, 7)).any()
        found.append(at)
        kinds.append(label[0])
    for place, (low, high) in zip(np.array(found).T, PLACES[layout, bits], strict=True):
        spread(place, low, high)
    spread(kinds, 0, 2**bits - 1)
    noise = batch.inputs["x"][20:30]
    spread(noise[noise < 4], 0, 3)
    if told:
        spread(batch.steps("x"), 100, 109)
    else:
        assert batch.lengths is None


def test_the_steps_of_order_and_addition_scale_with_the_length() -> None:
    x = made("temporal-order", length=30).inputs["x"]
    at = np.argwhere(((x == 4) | (x == 5)).T)[:, 1].reshape(MANY, 2)
    spread(at[:, 0], 1, 3)
    spread(at[:, 1], 12, 15)
    places, _ = two_marks(made("addition", length=30))
    spread(places[:, 0], 1, 2)
    spread(places[:, 1], 3, 14)


def test_a_permutation_is_to_be_predicted_and_ends_with_its_first_symbol() -> None:
    batch = made("random-permutation")
    x, target = batch.inputs["x"], batch.inputs["target"]
    assert x.shape == (100, MANY)
    spread(x[0], 0, 1)
    spread(x[1:].ravel()[:20000], 2, 99)
    np.testing.assert_array_equal(target[:-1], x[1:])
    np.testing.assert_array_equal(target[-1], x[0])


def test_all_thirty_two_cases_of_five_bits_are_in_every_batch() -> None:
    task = TASKS["memorisation-5-bits"].build(Settings(batch=4), length=7)
    batch, other = (first(task.train(epoch, np.random.default_rng(epoch))) for epoch in (0, 1))
    x, target = batch.inputs["x"], batch.inputs["target"]
    assert x.shape == (5 + 7 + 5, 32)
    assert len({tuple(case) for case in x[:5].T}) == 32
    assert set(np.unique(x[:5])) == {0, 1}
    assert (x[5:11] == 2).all()
    assert (x[11] == 3).all()  # the cue, five before the last step
    assert (x[12:] == 2).all()
    assert (target[:12] == 2).all()
    np.testing.assert_array_equal(target[12:], x[:5])
    np.testing.assert_array_equal(x, other.inputs["x"])
    assert [batch.size for batch in task.test()] == [4] * 8
    judged = np.concatenate([batch.inputs["x"][:5] for batch in task.test()], axis=1)
    assert len({tuple(case) for case in judged.T.tolist()}) == 32


def test_twenty_bits_are_ten_of_five_symbols() -> None:
    batch = made("memorisation-20-bits")
    x, target = batch.inputs["x"], batch.inputs["target"]
    assert x.shape == (10 + 100 + 10, MANY)
    spread(x[:10].ravel(), 0, 4)
    assert set(np.unique(x[10:])) == {5, 6}
    assert np.argwhere(x[:, 0] == 6).tolist() == [[109]]
    np.testing.assert_array_equal(target[-10:], x[:10])
    assert (target[:-10] == 5).all()


def test_five_letters_are_copied_and_only_they_are_scored() -> None:
    batch = made("copy")
    x, target = batch.inputs["x"], batch.inputs["target"]
    assert x.shape == (11, MANY)
    spread(x[:5].ravel(), 0, 25)
    assert (x[5] == 27).all()
    assert (x[6:] == 26).all()
    assert (target[:6] == -1).all()
    np.testing.assert_array_equal(target[6:], x[:5])


def test_too_many_cases_for_a_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="there are 9765625 sequences of 10 out of 5 symbols, too many"):
        TASKS["memorisation-20-bits"].build(Settings(), every=True)


@pytest.mark.parametrize("name", ["addition", "multiplication", "xor", "temporal-order"])
@pytest.mark.parametrize("length", [1, 4])
def test_a_length_that_leaves_no_room_is_refused(name: str, length: int) -> None:
    layouts = [{"layout": layout} for layout in ORDERS] if name == "temporal-order" else [{}]
    for options in layouts:
        with pytest.raises(UsageError, match=f"sequences of {length} steps are too short for this task"):
            TASKS[name].build(Settings(), length=length, **options)


# ------------------------------------------------------------------------------------------------------------- texts


def text(symbols: Array, vocabulary: str) -> str:
    return "".join(vocabulary[s] for s in symbols)


def test_arithmetic_asks_for_the_result_after_the_equals_sign() -> None:
    assert len(ARITHMETIC) == len(set(ARITHMETIC)) == 40
    letters, lengths, signs = Counter[int](), Counter[int](), Counter[str]()
    for x, target in columns(made("arithmetic", 500), "x", "target"):
        problem = text(x, ARITHMETIC)
        question, _, answer = problem.partition("=")
        for run in re.findall(r"[^a-z]([a-z]*)", question):
            letters[len(run)] += 1
        plain = re.fullmatch(r"(-?\d+)([+-])(\d+)", re.sub("[a-z]", "", question))
        assert plain is not None
        a, b = int(plain[1]), int(plain[3])
        assert answer == f"{a + b if plain[2] == '+' else a - b}."
        lengths[len(plain[3])] += 1
        signs[plain[2] + ("-" if a < 0 else "")] += 1
        assert text(target[len(question) : -1], ARITHMETIC) == answer
        assert (target[: len(question)] == -1).all()
        assert target[-1] == -1
    assert sorted(letters) == [0, 1, 2, 3]
    assert sorted(lengths) == list(range(1, 9))
    assert len(signs) == 4


def test_all_of_arithmetic_can_be_scored() -> None:
    for x, target in columns(made("arithmetic", 20, scored="all", digits=2, distractors=0), "x", "target"):
        np.testing.assert_array_equal(target[:-1], x[1:])
        assert re.fullmatch(r"-?\d\d?[+-]\d\d?=-?\d+\.", text(x, ARITHMETIC))


def test_tags_are_closed_in_the_reverse_of_their_order() -> None:
    assert len(XML) == 29
    sizes, counts = Counter[int](), []
    for x, target in columns(made("xml", 500), "x", "target"):
        document = text(x, XML)
        opened: list[str] = []
        tags = re.findall(r"<(/?)([a-z]{2,10})>", document)
        assert "".join(f"<{slash}{name}>" for slash, name in tags) == document
        for slash, name in tags:
            if slash:
                assert opened.pop() == name
            else:
                opened.append(name)
                sizes[len(name)] += 1
        assert not opened
        assert sum(not slash for slash, _ in tags) <= 50
        counts.append(len(tags))
        np.testing.assert_array_equal(target[:-1], x[1:])
    assert sorted(sizes) == list(range(2, 11))
    # The second turn closes the tag, and the third one stops, in half of the cases each.
    assert abs(counts.count(2) / 500 - 1 / 4) < 0.08


@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (4, 3), (10, 5), (18, 10)])
def test_programs_print_what_python_prints(length: int, nesting: int) -> None:
    rng = np.random.default_rng(length)
    assert (len(WRITTEN), len(PRINTED)) == (41, 12)
    for _ in range(200):
        source, said = program(rng, lambda: length, nesting)
        assert set(source) <= set(WRITTEN)
        assert set(said) <= set(PRINTED)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(source.replace("#", "\n").replace("@", ""), {})
        assert f"{printed.getvalue().strip()}." == said


def test_programs_have_every_kind_of_statement_and_mixed_lengths() -> None:
    batch = made("programs", 300)
    assert isinstance(batch.lengths, dict)
    sources = [text(batch.inputs["src"][:n, b], WRITTEN) for b, n in enumerate(batch.lengths["s"])]
    for piece in ("for x in range(", "+=", "-=", " if ", "<", ">", "*", "=", ";#"):
        assert any(piece in source for source in sources), piece
    digits = Counter(len(n) for source in sources for n in re.findall(r"\d+", source))
    assert set(range(1, 11)) <= set(digits)
    plain = made("programs", 50, curriculum="none", length=2, nesting=1)
    assert plain.inputs["src"].shape[0] < batch.inputs["src"].shape[0]


# --------------------------------------------------------------------------------------------------- all of them


OPTIONS = {name: {option.name for option in kind.options} for name, kind in TASKS.items()}
GENERATED = [name for name, own in OPTIONS.items() if "steps" in own and "reset" not in own]
"""All but texts, which may have shorter epochs and are read."""

SMALL = Settings(batch=3, dtype=np.float32, seed=1)


def same(a: Batch, b: Batch) -> bool:
    return a.inputs.keys() == b.inputs.keys() and all(np.array_equal(a.inputs[k], b.inputs[k]) for k in a.inputs)


@pytest.mark.parametrize("name", GENERATED)
def test_an_epoch_depends_on_its_number_and_generator_alone(name: str) -> None:
    def epoch(task: Task, number: int, seed: int) -> list[Batch]:
        return list(task.train(number, np.random.default_rng(seed)))

    task = TASKS[name].build(SMALL, steps=4)
    before = epoch(task, 2, 7)
    epoch(task, 0, 1)
    again = epoch(task, 2, 7)
    new = epoch(TASKS[name].build(SMALL, steps=4), 2, 7)
    assert len(before) == len(again) == task.steps == 4
    assert all(same(a, b) and same(a, c) for a, b, c in zip(before, again, new, strict=True))
    if name != "memorisation-5-bits":
        assert not same(before[0], before[1])
        assert not same(before[0], epoch(task, 3, 8)[0])


@pytest.mark.parametrize("name", [name for name in GENERATED if name != "readme-sample"])
def test_what_judges_is_kept_and_follows_from_the_seed(name: str) -> None:
    tasks = [TASKS[name].build(Settings(batch=3, seed=seed), held=7) for seed in (1, 1, 2)]
    valid, test = list(tasks[0].valid()), list(tasks[0].test())
    assert [batch.size for batch in valid] == [3, 3, 1]
    assert all(same(a, b) for a, b in zip(valid, tasks[0].valid(), strict=True))
    assert all(same(a, b) for a, b in zip(valid, tasks[1].valid(), strict=True))
    assert not any(same(a, b) for a, b in zip(valid, test, strict=True))
    assert not same(valid[0], first(tasks[2].valid()))


@pytest.mark.parametrize("name", GENERATED)
def test_batches_hold_what_the_task_says(name: str) -> None:
    task = TASKS[name].build(SMALL)
    batch = first(task.train(0, np.random.default_rng(0)))
    assert set(task.inputs) == set(batch.inputs) == set(TASKS[name].inputs)
    for key, port in task.inputs.items():
        array = batch.inputs[key]
        assert array.shape[2:] == port.shape
        assert array.dtype == (SMALL.dtype if port.index is None else np.int64)
        assert port.index is None or (array >= -1).all() & (array < port.index).all()
