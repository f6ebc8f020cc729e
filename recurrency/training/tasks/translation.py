"""Sentences and their translations, for an encoder over the clock s and a decoder over the clock t (Multi30k)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.places import find_data, read_lines
from recurrency.training.data.sequences import Array, Input, Sequences
from recurrency.training.data.vocabularies import UNKNOWN
from recurrency.training.tasks.kinds import Kind, Option
from recurrency.training.tasks.measures import wrong_steps
from recurrency.training.tasks.task import Settings, Task, from_sequences
from recurrency.training.tasks.text import END, numbered

PARTS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
ORIGIN = "https://github.com/multi30k/dataset (data/task1/tok); see docs/tasks.md"
LANGUAGES = ("en", "de", "fr", "cs")


def read_pairs(settings: Settings, part: str, languages: tuple[str, str]) -> list[tuple[list[str], list[str]]]:
    """The sentences of two languages that stand in the same line, as words with `<eos>` behind.

    Raises:
        UsageError: a file is missing, or has other lines than the other one.
    """
    names = [f"multi30k/{PARTS[part]}.lc.norm.tok.{language}" for language in languages]
    paths = [find_data(name, settings.data, ORIGIN, alone=False) for name in names]
    one, other = (read_lines(path) for path in paths)
    if len(one) != len(other):
        raise UsageError(
            f"{paths[0]} has {len(one)} lines and {paths[1]} has {len(other)}; line by line they translate"
        )
    return [([*a.split(), END], [*b.split(), END]) for a, b in zip(one, other, strict=True)]


def known_words(sentences: Sequence[Sequence[str]], least: int) -> list[str]:
    """`<unk>`, `<eos>`, and the words that are there `least` times or more, the frequent ones first."""
    counts = Counter(word for sentence in sentences for word in sentence)
    words = sorted(counts, key=lambda word: (-counts[word], word))
    return [UNKNOWN, END, *(word for word in words if counts[word] >= least and word not in (UNKNOWN, END))]


def _symbols(sentences: Sequence[Sequence[str]], known: Sequence[str]) -> list[Array]:
    ends = np.cumsum([len(sentence) for sentence in sentences])
    return np.split(numbered([word for sentence in sentences for word in sentence], known), ends[:-1])


def translation(settings: Settings, source: str, target: str, least: int, longest: int) -> Task:
    """Read a sentence `src` over the clock s, and write its translation `tgt` over the clock t."""
    if source == target:
        raise UsageError(f"the options source and target of translation are both {source}")
    pairs = {part: read_pairs(settings, part, (source, target)) for part in PARTS}
    pairs["train"] = [pair for pair in pairs["train"] if not longest or max(map(len, pair)) <= longest]
    if not pairs["train"]:
        raise UsageError(f"no sentence of translation has at most {longest} words")
    known = [known_words([pair[side] for pair in pairs["train"]], least) for side in (0, 1)]
    splits = {}
    for part, own in pairs.items():
        inputs = {name: _symbols([pair[side] for pair in own], known[side]) for side, name in enumerate(("src", "tgt"))}
        splits[part] = Sequences(inputs, {"src": "s", "tgt": "t"}, frozenset(inputs))
    return from_sequences(
        "translation",
        splits,
        settings,
        inputs={"src": Input((), len(known[0]), "s"), "tgt": Input((), len(known[1]))},
        measure=wrong_steps("tgt"),
        facts={
            "vocabulary": {"src": known[0], "tgt": known[1]},
            "unit": "words",
            "ends": {"src": END, "tgt": END},
        },
    )


KINDS = (
    Kind(
        "translation",
        "translate captions of pictures: 29,000 sentences of English, German, French",
        "Multi30k (Elliott et al. 2016); Sutskever et al. 2014",
        {"src": "symbol of the vocabulary, over the clock s", "tgt": "symbol of the vocabulary"},
        translation,
        (
            Option("source", "en", "the language that is read", words=LANGUAGES),
            Option("target", "de", "the language that is written", words=LANGUAGES),
            Option("least", 2, "how often a word must occur in training; rarer ones are `<unk>`", 1),
            Option("longest", 0, "the most words of a training sentence, with `<eos>`; 0: all", 0),
        ),
    ),
)
