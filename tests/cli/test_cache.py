"""`recurrency cache`: what is kept of what was compiled, and how to be rid of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recurrency.backends.c.runtime import compiler as native

from tests.support.calling import Run

needs_compiler = pytest.mark.skipif(native.obstacle() is not None, reason=f"nothing compiled: {native.obstacle()}")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECURRENCY_CACHE_SIZE", raising=False)
    monkeypatch.setattr(native, "_given_up", [])
    native._libraries.clear()
    native.said.cache_clear()
    return tmp_path / "cache"


def parts(run: Run, *options: str) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in json.loads(run("cache", "--json", *options).out)}


@needs_compiler
def test_cache_tells_what_there_is_where_and_who_compiles(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    native.library("int x;")
    native.library("int y;")
    shown = run("cache")
    assert (shown.code, shown.err) == (0, "")
    (line,) = [line for line in shown.out.splitlines() if line.startswith("native ")]
    assert line.split()[1] == "2"
    assert line.split()[-1] == str(folder / "native")
    assert f"native: by {native.compiler()[0]}" in shown.out
    assert "-march=native" in shown.out
    assert "emulated-kernels" in shown.out


@needs_compiler
def test_cache_as_json_has_everything(run: Run, folder: Path) -> None:
    native.library("int x;")
    part = parts(run)["native"]
    assert part["files"] == 1
    assert part["bytes"] == sum(path.stat().st_size for path in (folder / "native").iterdir())
    assert (part["folder"], part["most_bytes"]) == (str(folder / "native"), 512 << 20)
    assert (part["refused"], part["obstacle"]) == (None, None)
    assert part["version"]
    assert part["flags"].endswith(" -O0")


@needs_compiler
def test_cache_can_be_emptied(run: Run, folder: Path) -> None:
    kernel = folder / "emulated-kernels" / f"{'0a' * 16}.so"
    kernel.parent.mkdir(parents=True)
    kernel.write_bytes(bytes(2048))
    (folder / "native" / "zig" / "o").mkdir(parents=True)
    native.library("int x;")
    shown = run("cache", "--clear")
    assert (shown.code, shown.err) == (0, "")
    assert "emulated-kernels: removed 1 files, 2 kB" in shown.out
    assert "native: removed 2 files" in shown.out
    assert [path for path in folder.rglob("*") if path.parent != folder] == []
    assert {part["files"] for part in parts(run).values()} == {0}


def test_an_empty_cache_can_be_emptied(run: Run) -> None:
    assert run("cache", "--clear").code == 0
    assert {part["files"] for part in parts(run, "--clear").values()} == {0}


def test_cache_tells_why_nothing_can_be_compiled(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_CC", "no-such-cc")
    shown = run("cache")
    assert shown.code == 0
    assert "native: nothing can be compiled: RECURRENCY_CC names no-such-cc" in shown.out
    assert "no-such-cc" in parts(run)["native"]["obstacle"]


@pytest.mark.filterwarnings("ignore:.*Set RECURRENCY_CACHE:RuntimeWarning")
def test_cache_tells_why_a_folder_is_not_used(run: Run, folder: Path) -> None:
    folder.touch()
    shown = run("cache")
    assert shown.code == 0
    assert f"native is not used: {folder / 'native'} can't be made: Not a directory" in shown.out
    assert "can't be made" in parts(run)["emulated-kernels"]["refused"]
    assert run("cache", "--clear").code == 0


def test_a_size_that_is_no_number_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_CACHE_SIZE", "much")
    shown = run("cache")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("error: RECURRENCY_CACHE_SIZE is a whole number of megabytes")


def test_an_unknown_option_is_a_wrong_call(run: Run) -> None:
    assert run("cache", "--empty").code == 2
