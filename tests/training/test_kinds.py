"""The table of tasks: every row has what it promises, and options that do not exist or fit are refused."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.kinds import Kind, Option

OPTIONS = (
    Option("length", 20, "steps", 2, 30),
    Option("rate", 0.5, "a part", 0),
    Option("every", False, "whether"),
    Option("layout", "le", "whose", words=("le", "martens")),
    Option("file", None, "which"),
)


def given(settings: Settings, **options: Any) -> Task:
    return Task("given", lambda epoch, rng: (), 0, facts=options)


KIND = Kind("given", "meaning", "source", {}, given, OPTIONS)
DEFAULTS = {"length": 20, "rate": 0.5, "every": False, "layout": "le", "file": None}


def test_options_that_are_not_given_have_their_defaults() -> None:
    assert KIND.build(Settings()).facts == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("length", 30, 30),
        ("rate", 1, 1.0),
        ("every", True, True),
        ("every", "yes", True),
        ("every", "False", False),
        ("every", 1, True),
        ("layout", "martens", "martens"),
        ("file", "a.txt", "a.txt"),
        ("file", 7, "7"),
    ],
)
def test_values_are_taken_as_the_command_line_and_files_give_them(name: str, value: Any, taken: Any) -> None:
    found = KIND.build(Settings(), **{name: value}).facts
    assert found == {**DEFAULTS, name: taken}
    assert type(found[name]) is type(taken)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lenght", 5, r"the task given has no option lenght; it has length, rate, .*; did you mean length\?"),
        ("length", 2.5, "the option length of given must be a whole number, not 2.5"),
        ("length", True, "the option length of given must be a whole number, not True"),
        ("length", "many", "the option length of given must be a whole number, not 'many'"),
        ("length", 1, "the option length of given must be at least 2, not 1"),
        ("length", 31, "the option length of given must be at most 30, not 31"),
        ("rate", "high", "the option rate of given must be a number, not 'high'"),
        ("rate", float("nan"), "the option rate of given must be at least 0, not nan"),
        ("every", "maybe", "the option every of given must be true or false, not 'maybe'"),
        ("layout", "marten", r"must be le or martens, not 'marten'; did you mean martens\?"),
        ("file", True, "the option file of given must be a word, not True"),
    ],
)
def test_options_that_do_not_exist_or_fit_are_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        KIND.build(Settings(), **{name: value})


def test_a_task_without_options_says_so() -> None:
    with pytest.raises(UsageError, match="the task given has no option length; it has none"):
        Kind("given", "", "", {}, given).build(Settings(), length=3)


@pytest.mark.parametrize("name", TASKS)
def test_every_row_is_complete(name: str) -> None:
    kind = TASKS[name]
    assert kind.name == name
    assert kind.meaning
    assert kind.source
    assert kind.inputs
    taken = inspect.signature(kind.make).parameters
    assert all(option.name in taken for option in kind.options)
    assert all(option.meaning for option in kind.options)
    for option in kind.options:
        if option.default is not None:
            assert option.taken(option.default, name) == option.default


@pytest.mark.parametrize("name", TASKS)
def test_every_task_refuses_an_unknown_option(name: str) -> None:
    with pytest.raises(UsageError, match=f"the task {name} has no option nonsense"):
        TASKS[name].build(Settings(dtype=np.float32), nonsense=1)
