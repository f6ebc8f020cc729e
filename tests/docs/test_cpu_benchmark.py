"""`benchmarks/cpu.py` compares like with like, takes turns, and writes down what it found; nothing is timed here."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module; beside it lie those that it imports."""
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module("cpu")
    monkeypatch.setattr(module, "SIZES", {"tiny": (3, 2, 2, 4), "small": (4, 2, 3, 4)})
    monkeypatch.setattr(module, "ours", lambda backend, dtype: right())
    return module


@pytest.fixture
def peers(cpu: ModuleType) -> ModuleType:
    """The module of the contestants."""
    return importlib.import_module("_peers")


def options(cpu: ModuleType, **more: Any) -> dict[str, Any]:
    """The options of a process with one thread."""
    peers = [name for name in cpu.CONTESTANTS if name != cpu.BASE]
    given = {"sizes": ["tiny"], "cells": ["PlainLSTM"], "peers": peers, "rounds": 2, "cpu_time": False, "threads": 1}
    return given | more


def found(cpu: ModuleType, monkeypatch: pytest.MonkeyPatch, entries: dict[str, Any], **more: Any) -> list[Any]:
    """The lines that a process writes, with other contestants; no time goes by."""
    monkeypatch.setattr(cpu, "CONTESTANTS", entries)
    monkeypatch.setattr(cpu._machine, "fma_peak", lambda threads: 1e9)
    ticks = count()
    monkeypatch.setattr(cpu, "alternate", lambda jobs, *_: {name: np.array([1.0, 2.0]) + next(ticks) for name in jobs})
    lines: list[Any] = []
    cpu.work_through(options(cpu, **more), lines.append)
    return lines


def right(change: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> Callable[[Any], Any]:
    """Who gives what the fixture takes for right, or something near it."""

    def build(work: Any) -> Any:
        T, B, N = work.x.shape
        every = {"output": np.ones((T, B, 4)), "x": np.ones((T, B, N)), "U": np.ones((4, 4)), "b": np.ones(4)}
        job = sys.modules["_peers"].Job
        return {
            "forward": job(lambda: None, lambda _: {"output": every["output"]}),
            "train": job(lambda: None, lambda _: change(every)),
        }

    return build


def test_all_are_run_in_turn(cpu: ModuleType) -> None:
    said: list[str] = []
    ticks = count()
    jobs = {name: lambda name=name: said.append(name) for name in "ab"}
    times = cpu.alternate(jobs, 3, lambda: float(next(ticks)))
    assert said == [*"aabb", *"ab" * 3]
    assert {name: list(seconds) for name, seconds in times.items()} == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_who_computes_something_else_is_left_out(cpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(work: Any) -> Any:
        raise ModuleNotFoundError(name="fastrnn")

    wrong = cpu.Entry(right(lambda a: {n: v * (1.01 if n == "U" else 1) for n, v in a.items()}))
    unfinished = cpu.Entry(right(lambda a: {n: v for n, v in a.items() if n != "b"}))
    entries = {"c": cpu.Entry(right()), "wrong": wrong, "unfinished": unfinished, "missing": cpu.Entry(missing)}
    entries["elsewhere"] = cpu.Entry(missing, ("MinGRU",))
    lines = found(cpu, monkeypatch, entries)
    reasons = {line["absent"]["name"]: line["absent"]["reason"] for line in lines if "absent" in line}
    assert reasons.pop("wrong").startswith("ValueError: another U (train): off by 1.0e-02 of the greatest")
    assert reasons == {
        "unfinished": "ValueError: other results (train): b",
        "missing": "fastrnn is not installed",
    }
    rows = [line["row"] for line in lines if "row" in line]
    assert [(row["mode"], row["name"]) for row in rows] == [("forward", "c"), ("train", "c")]


def test_without_ours_nothing_is_compared(cpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = cpu.Entry(right(lambda a: {n: v + 1 for n, v in a.items()}))
    lines = found(cpu, monkeypatch, {"c": wrong, "numpy": cpu.Entry(right())})
    assert [*lines[1]] == ["absent"]
    assert lines[1]["absent"]["reason"].endswith("nothing to compare with")
    assert len(lines) == 2


WORDS = SimpleNamespace(
    linear=lambda x, W, b=0: x @ W.T + b,
    sigmoid=lambda x: 1 / (1 + np.exp(-x)),
    tanh=np.tanh,
    exp=np.exp,
    sin=np.sin,
    cos=np.cos,
    sqrt=np.sqrt,
    chunk=lambda x, n: np.split(x, n, -1),
    cat=lambda parts: np.concatenate(parts, -1),
)
"""Of the loops, for NumPy."""


@pytest.mark.parametrize("name", ["TorchGRU", "LSTMP", "MUT1", "GatedFeedback", "LRU"])
def test_a_loop_computes_what_the_cell_does(peers: ModuleType, name: str) -> None:
    work = peers.task(name, "tiny", 1, T=3, B=2, N=2, H=4)
    job = peers.ours("numpy")(work)["forward"]
    starts = [np.zeros((2, work.sizes[dimension])) for dimension in work.loop.states]
    for outputs in (peers.naive, peers.hoisted):
        found = np.stack(outputs(WORDS, work.loop, work.gathered(), work.x, starts))
        np.testing.assert_allclose(found, job.read(job.run())["output"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["PlainLSTM", "GatedFeedback"])
def test_gradients_of_a_loop_get_the_names_of_the_cell(peers: ModuleType, name: str) -> None:
    work = peers.task(name, "tiny", 1, T=3, B=2, N=2, H=4)
    back = work.scattered(work.gathered())
    assert back.keys() == work.weights.keys()
    assert all(np.array_equal(back[name], array) for name, array in work.weights.items())


def test_tables_and_figures_are_written(cpu: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = {name: cpu.Entry(right()) for name in ("c", "torch.nn", "mine")}
    lines = found(cpu, monkeypatch, entries, sizes=["tiny", "small"], cells=["PlainLSTM", "MinGRU"])
    monkeypatch.setattr(cpu._report, "save", lambda picture, path: path.write_text("a picture"))
    absent = {"absent": {"threads": 1, "cell": "Elman", "size": "tiny", "name": "mine", "reason": "it is late"}}
    assert cpu._report.write(tmp_path, cpu.gather({1: [*lines, absent]}, None)) == []
    assert {path.name for path in tmp_path.iterdir()} == {"cpu.json", "cpu.md", "forward-1.png", "train-1.png"}
    text = (tmp_path / "cpu.md").read_text()
    # A clock that ticks with each contestant: ours 1 and 2 s, then 2 and 3, then 3 and 4.
    assert "| PlainLSTM | tiny | 1500 | 0 % | 1.75 | 2.50 |" in text
    assert "| cell | size | ours, ms | of the peak | torch.nn / ours | mine / ours |" in text
    assert "- mine: it is late (Elman; tiny; 1 thread(s))" in text
    rows = json.loads((tmp_path / "cpu.json").read_text())["rows"]
    assert len(rows) == 2 * 2 * 2 * 3
    assert rows[1]["ratio"] == 1.75
    assert rows[0]["share"] == 2 * 3 * 2 * 4 * 4 * (2 + 4) / 1.5 / 1e9


def test_a_later_run_replaces_what_it_measures_again(cpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"c": cpu.Entry(right()), "mine": cpu.Entry(right())}
    first = cpu.gather({1: found(cpu, monkeypatch, entries, sizes=["tiny", "small"])}, None)
    second = cpu.gather({1: found(cpu, monkeypatch, {"c": cpu.Entry(right())}, sizes=["small"])}, first)
    names = [(row["size"], row["mode"], row["name"]) for row in second["rows"]]
    kept = [("tiny", mode, name) for mode in ("forward", "train") for name in ("c", "mine")]
    assert names == [*kept, ("small", "forward", "c"), ("small", "train", "c")]


def test_a_process_of_so_many_threads_is_told_so(cpu: ModuleType) -> None:
    told = cpu.environment(1)
    assert {told[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS")} == {"1"}
    assert told["RECURRENCY_THREADS"] == "1"
    assert "--xla_cpu_multi_thread_eigen=false" in told["XLA_FLAGS"]
    assert cpu.environment(2)["RECURRENCY_THREADS"] == "2"


def test_unknown_names_are_refused(cpu: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert cpu.arguments(["--cells", "LSTM,MUT1"]).cells == ["LSTM", "MUT1"]
    with pytest.raises(SystemExit):
        cpu.arguments(["--peers", "theano"])
    assert "'theano' is none of numpy, torch.nn" in capsys.readouterr().err
