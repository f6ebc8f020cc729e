"""Words of other languages and frameworks: what a message recommends exists here."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import recurrency as rc
from recurrency.cli.train import train
from recurrency.language.foreign_names import INITIALISERS as DRAWN
from recurrency.language.foreign_names import KEYWORDS, LATEX, METHODS, NAMES, OPTIONS, plain
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS

ENDS = re.compile(r"[,;:]| with | for | of | where | before |$")
SPEC = """cell Said(x, a, b, c, y, target, z, p, q: [4], w: index[4]) -> (out: [4]) {{
    param A, B, E : [4, 4] ~ glorot_uniform
    d = y - target
    out = 0 * x
    k = {}
}}
"""
VALUES = {
    "n, k": "2, 1",
    "slice(x, a, b)": "slice(x, 1, 2)",
    "[M, D]": "[2, 2]",
    "[M * D]": "[16]",
    "repeat(x, n": "repeat(x, 2",
    "low, high": "0, 1",
    "std": "0.1",
    "(H)": "(4)",
    "logits": "x",
    "dropout(x, p)": "dropout(x, 0.1)",
    "A @ b": "A @ b",
}


def test_no_word_of_the_language_is_taken_for_one_of_another() -> None:
    assert not {plain(name) for name in FUNCTIONS} & set(NAMES)
    assert not {plain(name) for name in INITIALISERS} & set(DRAWN)


def test_every_function_that_is_recommended_exists() -> None:
    for help in {*NAMES.values(), *METHODS.values(), *KEYWORDS.values(), *LATEX.values()}:
        called = set(re.findall(r"\b([a-z_][a-z_0-9]*)\(", help)) - {"squash", "normal"}
        assert called <= set(FUNCTIONS) | {"erf"}, help


def expression(help: str) -> str | None:
    """The first expression that a recommendation holds: it ends where no bracket is open."""
    text = help.partition("write ")[2]
    ends = (text[: found.start()] for found in ENDS.finditer(text))
    return next((part for part in ends if part and part.count("(") == part.count(")")), None)


def test_an_expression_that_is_recommended_passes_the_check() -> None:
    words = (" number", "W", "loss ", "s = ", "state ", "step", "query", "erf", "expm", "inverse")
    said = {text for help in NAMES.values() if (text := expression(help)) and not any(w in text for w in words)}
    assert len(said) > 60
    for text in sorted(said):
        for word, value in VALUES.items():
            text = text.replace(word, value)
        rc.parse(SPEC.format(text)).check()


def test_every_initialiser_that_is_recommended_exists() -> None:
    for help in DRAWN.values():
        words = re.findall(r"[a-z_]{4,}", help)
        assert words
        assert set(words) <= {*INITIALISERS, "between"}, help


def test_every_option_that_is_recommended_exists() -> None:
    known = {name for option in train.params for name in option.opts}
    for meant in OPTIONS.values():
        words = re.findall(r"(?<![\w=])--?[A-Za-z][-\w]*", meant)
        assert set(words) <= known
        assert words or "recurrency train FOLDER" in meant


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "jsb", "--lr", "0.1"], "No such option '--lr'. Write --rate."),
        (["train", "jsb", "--learning_rate", "0.1"], "No such option '--learning_rate'. Write --rate."),
        (["train", "jsb", "--hidden-size", "9"], "Write -D NAME=VALUE, such as -D H=128."),
        (["show", "Stacked", "-D", "Cell=Gru", "-D", "N=3", "-D", "H=4"], "no function or cell Gru; did you mean GRU?"),
        (
            ["show", "Elman", "-D", "squash=ReLU", "-D", "N=3", "-D", "H=4"],
            "no function or cell ReLU; did you mean relu?",
        ),
        (["show", "LSTM", "-D", "N=0", "-D", "H=4"], "N is 0, but dimensions start at 1"),
    ],
)
def test_the_command_line_knows_the_words_of_other_programs(arguments: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-m", "recurrency", *arguments], capture_output=True, text=True)
    assert said in done.stderr
    assert done.returncode in (1, 2)
