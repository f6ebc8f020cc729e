"""What judges a model: no sequence that it was trained on, the same for every batch; and options that do something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch, Sequences
from recurrency.training.data.readers import set_aside
from recurrency.training.data.sequences import alike
from recurrency.training.runs.command import Request, run
from recurrency.training.tasks import TASKS, Settings, Task, text
from recurrency.training.tasks.kinds import Kind, Option
from tests.support import small_data
from tests.training.test_text_tasks import built


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data.write(tmp_path_factory.mktemp("data"))


def read(task: Task, part: str, name: str) -> list[bytes]:
    """The sequences of one input in a part of a task."""
    stream: Iterable[Batch] = task.train(0, np.random.default_rng(0)) if part == "train" else getattr(task, part)()
    out = []
    for batch in stream:
        array, steps = batch.inputs[name], batch.steps(name, task.inputs[name].clock)
        out += [array[:n, b].tobytes() for b, n in enumerate(steps)]
    return out


# ----------------------------------------------------------------------------------------------------------- splits

SPLIT = [kind.name for kind in TASKS.values() if kind not in text.KINDS and "split" in {o.name for o in kind.options}]
"""Tasks that draw a split of their own."""


def test_the_tasks_with_a_split_of_their_own_are_known() -> None:
    assert SPLIT == ["promoters", "splice"]


@pytest.mark.parametrize("data", ["published", "small"])
@pytest.mark.parametrize("name", SPLIT)
def test_no_sequence_that_judges_is_trained_on(name: str, data: str, folder: Path) -> None:
    for split in ("80/10/10", "40/30/30"):
        task = built(name, split=split) if data == "published" else TASKS[name].build(Settings(folder), split=split)
        parts = {part: read(task, part, "x") for part in ("train", "valid", "test")}
        assert all(parts.values())
        assert not set(parts["train"]) & {*parts["valid"], *parts["test"]}
        assert not set(parts["valid"]) & set(parts["test"])


def test_lines_that_are_there_again_are_left_out(folder: Path) -> None:
    """Forty different ones; one of them has a second label."""
    task = TASKS["splice"].build(Settings(folder))
    assert sum(len(read(task, part, "x")) for part in ("train", "valid", "test")) == 41


def test_equal_sequences_of_your_own_stay_together() -> None:
    rows = np.random.default_rng(0).integers(0, 9, (12, 3))
    data = Sequences({"x": [rows[i] for i in [*range(12), *range(12), 5, 5]]}, {"x": "t"})
    rest, aside, _ = set_aside(data, 5, "my.npz", alike(data))
    assert len(rest) + len(aside) == 26
    assert 0 < len(aside) <= 5
    assert not {a.tobytes() for a in rest.inputs["x"]} & {a.tobytes() for a in aside.inputs["x"]}
    assert [len(group) for group in alike(data)] == [2] * 5 + [4] + [2] * 6
    rest, aside, _ = set_aside(Sequences({"x": [np.ones((2, 1))] * 9}, {"x": "t"}), 1, "my.npz", [[*range(9)]])
    assert (len(rest), len(aside)) == (8, 1), "where all are equal, there are no others"


# ----------------------------------------------------------------------------------------------------- made-up tasks

DRAWN = [name for name, kind in TASKS.items() if {"steps", "held"} <= {option.name for option in kind.options}]


@pytest.mark.parametrize("name", DRAWN)
def test_sequences_that_judge_do_not_depend_on_the_size_of_a_batch(name: str) -> None:
    """Nor on the number of processes, which makes a batch so many times larger."""
    for part in ("valid", "test"):
        found = []
        for size in (1, 7, 40, 1000):
            task = TASKS[name].build(Settings(batch=size, dtype="float32"), held=70)
            found.append({key: sorted(read(task, part, key)) for key in task.inputs})
            assert len(next(iter(found[0].values()))) == 70
        assert all(other == found[0] for other in found[1:])


# ----------------------------------------------------------------------------------------------------------- options

VALUES: Mapping[str, Any] = {
    "split": "60/20/20",
    "most": 5,
    "reset": 1,
    "least": 3,
    "longest": 4,
    "chunk": 4,
    "held": 3,
    "steps": 3,
    "symbols": 4,
    "count": 3,
    "pool": 4,
    "digits": 2,
    "bits": 3,
    "nesting": 2,
    "delay": 2,
}


def other(option: Option, kind: Kind) -> list[Any]:
    """Values of an option that are not its default."""
    if option.words:
        return [word for word in option.words if word != option.default]
    if isinstance(option.default, bool):
        return [not option.default]
    if kind.name == "xml" and option.name == "most":
        return [1]
    value = VALUES.get(option.name, 40)
    return [value if option.most is None else min(value, int(option.most))]


def seen(task: Task) -> Any:
    """All that a task is: batches, what they hold, facts and measure."""
    learned = list(zip(range(3), task.train(0, np.random.default_rng(0)), strict=False))
    parts = [batch for _, batch in learned] + list(task.valid()) + list(task.test())
    held = [(b.fresh, {n: (a.shape, a.tobytes()) for n, a in b.inputs.items()}, repr(b.lengths)) for b in parts]
    measure = task.measure and (task.measure.name, task.measure.meaning, task.measure.solved)
    return task.steps, held, task.inputs, measure, repr(task.facts)


@pytest.mark.parametrize("name", TASKS)
def test_each_option_of_a_task_changes_something_or_is_refused(name: str, folder: Path) -> None:
    kind = TASKS[name]
    settings = Settings(folder / "my.txt" if name == "text" else folder, batch=4, dtype="float32")
    few = {"held": 5} if any(option.name == "held" for option in kind.options) else {}
    before = seen(kind.build(settings, **few))
    for option in kind.options:
        for value in other(option, kind):
            try:
                after = seen(kind.build(settings, **{**few, option.name: value}))
            except UsageError as error:
                assert option.name in str(error)  # noqa: PT017
            else:
                assert after != before, f"{option.name}={value}"


@pytest.mark.parametrize("name", ["addition", "xor", "memorisation-5-bits", "memorisation-20-bits", "copy"])
def test_without_a_number_as_many_sequences_judge_as_a_verdict_needs(name: str) -> None:
    for layout in ("martens", "hochreiter") if name == "addition" else (None,):
        options = {} if layout is None else {"layout": layout}
        task = TASKS[name].build(Settings(batch=500), **options)
        assert task.measure is not None
        wanted = {"memorisation-5-bits": 32}.get(name, 2000 if layout == "hochreiter" else 1000)
        assert sum(batch.size for batch in task.valid()) == task.measure.least == wanted


@pytest.mark.parametrize(
    ("target", "given", "words"),
    [
        ("Music --on jsb", {"length": 5}, "the option length has no effect on the task jsb"),
        ("first-element", {"chunk": 5}, "the option chunk has no effect on the task first-element: .* its options are"),
        ("Translate --on translation", {"chunk": 5}, "the option chunk has no effect on the task translation"),
    ],
)
def test_an_option_of_training_that_a_task_has_not_is_refused(
    target: str, given: dict[str, Any], words: str, folder: Path
) -> None:
    name, _, on = target.partition(" --on ")
    sizes = {"V": 20, "K": 20, "N": 2, "H": 2} if on == "translation" else {"H": 2, "Cell": "Elman"}
    request = Request(name, on or None, sizes, given, data=str(folder) if on else None)
    with pytest.raises(UsageError, match=words):
        run(request, lambda line: None)


def test_a_part_to_set_aside_is_refused_where_the_file_says_what_judges(tmp_path: Path) -> None:
    from recurrency.training.tasks.own import own_task

    model = rc.parse("cell A(x: [1]) -> (y: [1]) {\n y = x\n loss l2(y)\n}").compile()
    arrays = {name: np.ones((3, 2, 1)) for name in ("x", "valid_x", "test_x")}
    np.savez(tmp_path / "all.npz", **arrays)
    np.savez(tmp_path / "some.npz", x=np.random.default_rng(0).normal(size=(9, 2, 1)), test_x=np.ones((3, 2, 1)))
    own_task(Settings(tmp_path / "some.npz"), model, held=20)
    with pytest.raises(UsageError, match=r"the option held has no effect: .*all.npz says what to validate and to test"):
        own_task(Settings(tmp_path / "all.npz"), model, held=20)


def test_a_run_of_a_made_up_task_goes_on_with_the_same_sequences(tmp_path: Path) -> None:
    """The length that a task has by itself is not replaced by one that is written down."""
    words: list[str] = []
    options = {"epochs": 1, "backend": "numpy", "log-form": "quiet"}
    tasks = {"steps": 2, "held": 5}
    folder = str(tmp_path / "run")
    request = Request(
        "SymbolClassifier",
        "temporal-order",
        {"V": 8, "K": 4, "H": 2, "Cell": "Elman"},
        options,
        task_options=tasks,
        folder=folder,
    )
    (before,) = run(request, words.append)
    (after,) = run(Request(folder), words.append)
    assert "every loss is the same as before, to the last bit" in words
    assert after.test == before.test
