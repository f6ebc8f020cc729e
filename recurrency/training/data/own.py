"""A user's data in splits, ready for a model: read, checked, split by sequences or by time, and numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from recurrency.errors import UsageError
from recurrency.training.data import series
from recurrency.training.data.filling import check_some, filled
from recurrency.training.data.labels import read_labels
from recurrency.training.data.npz import SPLITS
from recurrency.training.data.readers import reader, set_aside, too_few
from recurrency.training.data.rows import How
from recurrency.training.data.rules import NONE, Rules
from recurrency.training.data.sequences import PLACE, InputPort, Sequences, alike, flag, without_gaps
from recurrency.training.data.series import begun
from recurrency.training.data.vocabularies import Vocabulary, numbered, vocabulary_of
from recurrency.training.data.vocabularies import told as told_symbols


@dataclass(frozen=True)
class Reading:
    """How a file is read: the `rules` for its values, and what is set aside to validate and to test on.

    `held` is that part of the sequences (a tenth unless it is given), or of the steps of a series; `split` are the
    percents of all steps that are trained, validated and tested on, each sequence by time. `labels` is a file with one
    value for each sequence. Numbers are computed in the dtype `real`.
    """

    rules: Rules = NONE
    held: float | None = None
    split: str | None = None
    labels: Path | None = None
    real: str = "float64"


@dataclass(frozen=True)
class Own:
    """A user's data: the splits, the vocabularies of symbols that are texts, and what there is to say about them.

    `series` says whether the parts were split by time; `elapsed` are the inputs that are elapsed times.
    """

    splits: Mapping[str, Sequences]
    vocabulary: Vocabulary
    series: bool
    told: tuple[str, ...]
    elapsed: tuple[str, ...] = ()


def read_own(path: str | Path, ports: Mapping[str, InputPort], reading: Reading) -> Own:
    """The splits of a user's file, for the inputs of a spec.

    Where there is no `valid` or `test`, some of the sequences are set aside, always the same ones; one single sequence
    is split by time.

    Raises:
        UsageError: the file cannot be read or does not fit the spec (the message names the first bad row), there are
            too few sequences or steps to set some aside, or how many is said though none have to be.
    """
    raw = {split: without_gaps(data, str(path)) for split, data in read_raw(path, ports, reading).items()}
    if SPLITS[0] not in raw:
        raise UsageError(f"{path} has no sequence of the split {SPLITS[0]}")
    _check_shares(path, raw, reading)
    found = {split: filled(data, ports, reading.rules, reading.real) for split, data in raw.items()}
    check_some(raw["train"], reading.rules.asked(ports))
    by_time = len(raw) == 1 and (reading.split is not None or len(raw["train"]) == 1)
    if by_time:
        found = series.split_by_time(found["train"], _percents(reading), path)
    else:
        found = _held(path, found, alike(raw["train"]), reading.held)
    known = vocabulary_of(found, reading.rules.shared)
    told = [f"{Path(path).name}: {_series(found)}, split by time: {series.told(found)}"] if by_time else []
    times = tuple(reading.rules.elapsed)
    splits = {split: begun(bare(numbered(data, known, ports)), times) for split, data in found.items()}
    in_time = by_time or (len(raw) > 1 and _by_rows(raw))
    return Own(splits, known, in_time, (*told, *told_symbols(known)), times)


def read_raw(
    path: str | Path, ports: Mapping[str, InputPort], reading: Reading, how: How | None = None
) -> dict[str, Sequences]:
    """The splits as the file holds them, with values that are missing and symbols that are texts (see `filled`)."""
    rules = reading.rules
    asked, how = rules.asked(ports), how or How()
    how = replace(how, whole=rules.whole)
    labels = None
    if reading.labels is not None:
        labels = read_labels(reading.labels, {n: p for n, p in asked.items() if n in rules.whole}, how)
        asked = {name: port for name, port in asked.items() if name not in labels.values}
    found = reader(path)(path, asked, how)
    return {split: labels.added(data) for split, data in found.items()} if labels is not None else found


def bare(data: Sequences) -> Sequences:
    """The data without the places of their steps in the file."""
    return replace(data, inputs={k: v for k, v in data.inputs.items() if k != flag(PLACE)}, where=None)


def read_user(
    path: str | Path, ports: Mapping[str, InputPort], hold_out: float | None = None, real: str = "float64"
) -> Mapping[str, Sequences]:
    """The splits of a user's own file, for the inputs of a spec that computes in the dtype `real`; see `read_own`."""
    return read_own(path, ports, Reading(held=hold_out, real=real)).splits


def _check_shares(path: str | Path, raw: Mapping[str, Sequences], reading: Reading) -> None:
    """Refuse options that have no effect on these splits."""
    given = [name for name in ("held", "split") if getattr(reading, name) is not None]
    if len(given) > 1:
        raise UsageError("the options held and split both say what to validate and to test on; leave one of them out")
    if (given and all(split in raw for split in SPLITS)) or (given == ["split"] and len(raw) > 1):
        raise UsageError(
            f"the option {given[0]} has no effect: {path} says what to validate and to test on; leave it out"
        )


def _percents(reading: Reading) -> str:
    """The percents of training, validation and test of a series."""
    if reading.split is not None:
        return reading.split
    held = 10 if reading.held is None else round(100 * reading.held)
    return f"{100 - 2 * held}/{held}/{held}"


def _held(
    path: str | Path, found: dict[str, Sequences], groups: list[list[int]], held: float | None
) -> dict[str, Sequences]:
    """The splits, with sequences of `train` set aside for those that are missing."""
    count, missing = len(found["train"]), [split for split in SPLITS[1:] if split not in found]
    aside = max(1, round((0.1 if held is None else held) * count))
    if missing and count <= aside * (len(missing) + 1):
        raise too_few(path, count)
    for split in missing:
        found["train"], found[split], groups = set_aside(found["train"], aside, path, groups)
    return found


def _series(splits: Mapping[str, Sequences]) -> str:
    """How many sequences were split by time, in words."""
    data = splits["train"]
    steps = sum(int(part.lengths(next(iter(part.clocks.values()))).sum()) for part in splits.values())
    return f"one series of {steps} steps" if len(data) == 1 else f"{len(data)} series of {steps} steps together"


def _by_rows(raw: Mapping[str, Sequences]) -> bool:
    """Whether a column of splits cuts one series."""
    return all(list(data.names) == [split] for split, data in raw.items())
