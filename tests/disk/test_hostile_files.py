"""Specs, run folders and outputs from anywhere: nothing controls the terminal, nothing else is read, no traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import recurrency as rc
from recurrency.errors import UNSEEN, UsageError, visible
from recurrency.training.loop import snapshots
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import CHECKPOINT, METRICS, PREVIOUS, RUN
from recurrency.training.runs.metrics import read_metrics
from tests.support.calling import Run

CONTROLS = {"escape": "\x1b[31m", "bell": "\x07", "old escape": "\x9b2J", "reversed": "\u202e", "null": "\x00"}
GOOD = "cell A[N](x: [N]) -> (y: [N]) {\n    y = tanh(x)\n}\n"


# --------------------------------------------------------------------------------------------------------- the terminal


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize("place", ["docstring", "comment", "line", "name"])
@pytest.mark.parametrize("command", ["check", "show", "show --latex", "fmt --check", "compile -D N=1"])
def test_no_text_of_a_spec_controls_the_terminal(
    place: str, control: str, command: str, run: Run, tmp_path: Path
) -> None:
    texts = {
        "docstring": GOOD.replace("{\n", '{\n    """' + control + '"""\n'),
        "comment": GOOD.replace("tanh(x)", f"tanh(x)  # {control}"),
        "line": GOOD.replace("tanh(x)", f"tahn(x) {control}"),
        "name": GOOD.replace("A[", f"A{control}["),
    }
    path = tmp_path / "a.rnn"
    path.write_text(texts[place])
    code, out, err = run(*command.split(), str(path))
    assert code == 1
    assert "RNN001" in err
    assert visible(out + err) == out + err


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize("command", ["check", "show", "compile -D N=1"])
def test_no_path_of_a_spec_controls_the_terminal(control: str, command: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.rnn"
    path.write_text(f'use B from "{control}.rnn"\n{GOOD}')
    code, out, err = run(*command.split(), str(path))
    assert code == 1
    assert "RNN036" in err
    assert visible(out + err) == out + err


def test_no_name_of_a_file_controls_the_terminal(run: Run, tmp_path: Path) -> None:
    for arguments in (["check", f"{tmp_path}/\x1b[31m.rnn"], ["train", "\x1b[31m"], ["show", "\x1b[31m"]):
        code, out, err = run(*arguments)
        assert code == 1
        assert "\u241b[31m" in err
        assert visible(out + err) == out + err


def test_what_is_shown_for_a_character_stays_in_its_column() -> None:
    text = "".join(map(chr, UNSEEN))
    assert len(visible(text)) == len(text)
    assert visible(visible(text)).isprintable()
    assert visible("a\tb\n αβ Δt — 日本") == "a\tb\n αβ Δt — 日本"


GREEK = "cell A[N](β: [N]) -> (y: [N]) {\n    y = tanh(β)\n}\n"


@pytest.mark.parametrize("command", ["show", "show --latex", "fmt -", "check", "list lstm", "compile -D N=1"])
def test_letters_that_standard_output_has_not_got_are_no_traceback(command: str, tmp_path: Path) -> None:
    path = tmp_path / "a.rnn"
    path.write_text(GREEK, encoding="utf-8")
    words = command.split()
    words += [] if command in ("fmt -", "list lstm") else [str(path)]
    said = subprocess.run(
        [sys.executable, "-m", "recurrency", *words],
        input=GREEK.encode() if command == "fmt -" else b"",
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "", "RECURRENCY_BACKEND": "numpy", "HOME": str(tmp_path)},
    )
    assert b"Traceback" not in said.stderr, said.stderr
    assert said.returncode in (0, 1)
    if said.returncode:
        assert b"PYTHONIOENCODING=utf-8" in said.stderr
        assert said.stdout == b""


# ---------------------------------------------------------------------------------------------------------- run folders


def kept(folder: Path, **more: Any) -> list[str]:
    said: list[str] = []
    options = {"epochs": 2, "length": 4, "batch": 4, "log-form": "quiet", "log-every": 7, **more.pop("options", {})}
    run(Request("first-element", None, {"H": 3}, options, folder=str(folder), save_every=0.0, **more), said.append)
    return said


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "one"
    kept(folder)
    return folder


@pytest.fixture
def folder(once: Path, tmp_path: Path) -> Path:
    """A finished run."""
    return Path(shutil.copytree(once, tmp_path / "one"))


def unfinished(folder: Path) -> None:
    """Take away what says that the run has ended."""
    lines = (folder / METRICS).read_text().splitlines(keepends=True)
    (folder / METRICS).write_text("".join(line for line in lines if '"end"' not in line))


@pytest.mark.parametrize("spec", ["../secret.rnn", "{outside}/secret.rnn", "spec/../../secret.rnn:A", "spec/link.rnn"])
def test_nothing_outside_of_a_run_folder_is_read(spec: str, folder: Path) -> None:
    secret = folder.parent / "secret.rnn"
    secret.write_text("hush hush\n")
    (folder / "spec" / "link.rnn").symlink_to(secret)
    text = (folder / RUN).read_text()
    named = spec.format(outside=folder.parent)
    (folder / RUN).write_text(text.replace("spec/first_element.rnn:FirstElement", named))
    with pytest.raises(UsageError, match="outside of the run folder") as told:
        run(Request(str(folder)), lambda words: None)
    assert "hush" not in str(told.value)


def test_a_run_names_specs_alone(folder: Path) -> None:
    text = (folder / RUN).read_text()
    (folder / RUN).write_text(text.replace("spec/first_element.rnn:FirstElement", "../../../../etc/passwd"))
    with pytest.raises(UsageError, match=r"no \.rnn file") as told:
        run(Request(str(folder)), lambda words: None)
    assert "root" not in str(told.value)


BAD_LINES = [
    b'{"event": "epoch", "epoch": \xff1}',
    b'{"event": "epoch"}',
    b'{"event": "epoch", "epoch": "a", "step": 1, "train": 1, "valid": null}',
    b'{"event": "update", "step": null}',
    b'{"event": ["end"]}',
    b"[1]",
    b"[" * 100_000,
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_of_metrics_is_left_out(line: bytes, folder: Path) -> None:
    unfinished(folder)
    wanted = [one for one in read_metrics(folder / METRICS) if one["event"] == "epoch"]
    with (folder / METRICS).open("ab") as file:
        file.write(line + b"\n")
    run(Request(str(folder)), lambda words: None)
    lines = read_metrics(folder / METRICS)
    assert [one["epoch"] for one in lines if one["event"] == "epoch"] == [one["epoch"] for one in wanted]
    assert lines[-1]["event"] == "end"


def changed(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Write a checkpoint with other words, and the sum that belongs to them where there still is one."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        metadata = change(dict(file.metadata()))
    arrays = load_file(path)
    if "sum" in metadata and "snapshot" in metadata:
        metadata["sum"] = snapshots._sum(arrays, metadata["snapshot"])
    path.write_bytes(save(arrays, metadata=metadata))


def without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda found: {key: value for key, value in found.items() if key != name}


def saying(**words: Any) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda found: {**found, "snapshot": json.dumps({**json.loads(found["snapshot"]), **words})}


CHANGES = {
    "no snapshot": without("snapshot"),
    "no sum": without("sum"),
    "no format": without("format"),
    "no table": lambda found: {**found, "snapshot": "[]"},
    "no JSON": lambda found: {**found, "snapshot": "{"},
    "deep": lambda found: {**found, "snapshot": "[" * 100_000},
    "another field": saying(code=1),
    "no sums": saying(sums=None),
    "other epochs": saying(history={"epochs": [[1]]}),
    "no history": saying(history=3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_checkpoint_gives_way_to_the_one_before(change: str, folder: Path) -> None:
    unfinished(folder)
    changed(folder / CHECKPOINT, CHANGES[change])
    said: list[str] = []
    run(Request(str(folder)), said.append)
    assert any("trying the one before" in words for words in said)
    assert read_metrics(folder / METRICS)[-1]["event"] == "end"
    unfinished(folder)
    for name in (CHECKPOINT, PREVIOUS):
        changed(folder / name, CHANGES[change])
    with pytest.raises(UsageError, match=r"no checkpoint of .* can be read"):
        run(Request(str(folder)), said.append)


def test_a_checkpoint_of_another_cell_is_refused(folder: Path) -> None:
    unfinished(folder)
    for name in (CHECKPOINT, PREVIOUS):
        snapshot = snapshots.read(folder / name)
        longer = np.zeros(snapshot.params.size + 1, snapshot.params.dtype)
        snapshots.write(folder / name, replace(snapshot, params=longer), {})
    with pytest.raises(UsageError, match="checkpoint"):
        run(Request(str(folder)), lambda words: None)


def test_what_killed_processes_left_is_removed_and_nothing_else(folder: Path) -> None:
    unfinished(folder)
    left = [".checkpoint.new.safetensors.abc12345", ".metrics.jsonl.x_y12345", ".run.toml.00000000"]
    others = [
        ".checkpoint.new.safetensors",
        ".notes.abc12345",
        "checkpoint.new.safetensors.abc12345",
        ".loss.png.short",
    ]
    for name in (*left, *others):
        (folder / name).write_text("half")
    run(Request(str(folder)), lambda words: None)
    there = {path.name for path in folder.iterdir()}
    assert not there & set(left)
    assert set(others) <= there


@pytest.mark.parametrize("option", [{"log-form": "lines"}, {"log-every": 3}])
def test_how_a_run_is_told_can_change_when_it_goes_on(option: dict[str, Any], folder: Path) -> None:
    unfinished(folder)
    run(Request(str(folder), options=option), lambda words: None)
    assert read_metrics(folder / METRICS)[-1]["event"] == "end"
    with pytest.raises(UsageError, match="goes on as it began"):
        run(Request(str(folder), options={**option, "batch": 3}), lambda words: None)


@pytest.mark.parametrize("content", [b"\xff", b"a = " + b"[" * 100_000, b"spec = 1"])
def test_a_run_whose_options_are_damaged_says_so(content: bytes, folder: Path) -> None:
    (folder / RUN).write_bytes(content)
    with pytest.raises(UsageError, match=r"run\.toml"):
        run(Request(str(folder)), lambda words: None)


def test_no_more_of_a_file_is_read_than_a_text_can_have(tmp_path: Path) -> None:
    path = tmp_path / "a.rnn"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(rc.SpecError, match="more than 1000000 characters"):
        rc.load(path)
