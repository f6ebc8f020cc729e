"""What is remembered of specs: models without parsing, graphs or generated code, as long as nothing has changed."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.c.runtime import compiler as native

import recurrency as rc
from recurrency import backend
from recurrency.disk import records
from recurrency.disk.ownership import sealed
from recurrency.errors import Source
from recurrency.language import words
from recurrency.language.elaboration import elaborate, modules
from recurrency.language.reading import parser
from tests.transcriptions import CASES

SPECS = Path(__file__).resolve().parents[2] / "specs"

pytestmark = pytest.mark.skipif(native.obstacle() is not None, reason=f"nothing compiled: {native.obstacle()}")

OUTER = """
use Inner from "inner.rnn"
cell Outer[H](x: [H]) -> (y: [H]) {
    y = Inner(x)
    loss squared_error(y, x)
}
"""
INNER = "cell Inner[H](x: [H]) -> (y: [H]) {{ param w : [H] ~ ones\n state y : [H] = 0\n y = {how}(w * x + y[t-1]) }}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECURRENCY_RECORDS", "1")
    return tmp_path / "cache" / "records"


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be parsed or elaborated."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("this was worked out again")

    monkeypatch.setattr(modules, "file_of", refused)
    monkeypatch.setattr(elaborate, "elaborate", refused)
    monkeypatch.setattr(elaborate, "check", refused)


def written(folder: Path, how: str) -> Path:
    (folder / "inner.rnn").write_text(INNER.format(how=how))
    (folder / "outer.rnn").write_text(OUTER)
    return folder / "outer.rnn"


def results(model: rc.Model) -> dict[str, Any]:
    """Numbers of all kinds of calls, and what a model says of itself."""
    rng = np.random.default_rng(0)
    inputs = {n: rng.standard_normal((5, 3, *p.shape)).astype(model.dtype) for n, p in model.inputs.items()}
    run = model.forward(model.init(1), inputs, lengths=[5, 2, 4])
    gradients = model.backward(run, {n: np.ones_like(a) for n, a in run.outputs.items()})
    out = {**run.outputs, **run.state, "params": gradients.params, **gradients.inputs, "size": model.size}
    if model.has_loss:
        out["loss"] = model.loss(model.init(1), inputs)
    outputs, state = model.step(model.init(1), {n: a[0] for n, a in inputs.items()})
    out |= {f"step {n}": a for n, a in (outputs | state).items()}
    return out | {f"at {n}": p.offset for n, p in model.parameters.items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("cell", ["LSTM", "ZoneoutLSTM", "MUT1"])
def test_a_model_that_is_remembered_is_worked_out_from_nothing_and_the_same(
    cell: str, request: pytest.FixtureRequest
) -> None:
    path = rc.library.spec(cell).definition.module.path
    first = rc.load(path, cell).compile(backend="c", N=3, H=4)
    wanted = results(first)
    request.getfixturevalue("idle")
    again = rc.load(path, cell).compile(backend="c", N=3, H=4)
    assert same(results(again), wanted)
    assert repr(again) == repr(first)
    assert again.spec.name == cell


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_cell_of_the_library_can_be_remembered(case: Any, request: pytest.FixtureRequest) -> None:
    """Those with functions and cells for dimensions as well; nothing is compiled for it."""
    spec = rc.library.spec(case.cell)
    model = spec.compile(backend="c", **case.dimensions)
    model.programs.runner("forward_kept", ())
    request.getfixturevalue("idle")
    again = rc.library.spec(case.cell).compile(backend="c", **case.dimensions)
    assert (again.inputs, again.outputs, again.parameters) == (model.inputs, model.outputs, model.parameters)
    assert again.dimensions == model.dimensions
    runners: list[Any] = [m.programs.runner("forward_kept", ()) for m in (model, again)]
    assert runners[0].kept() == runners[1].kept()


def test_a_cell_of_the_library_is_found_without_parsing(request: pytest.FixtureRequest) -> None:
    wanted = results(rc.library.GRU.compile(backend="c", N=3, H=4))
    request.getfixturevalue("idle")
    assert same(results(rc.library.GRU.compile(backend="c", N=3, H=4)), wanted)


def test_what_is_not_remembered_is_worked_out(tmp_path: Path) -> None:
    path = written(tmp_path, "tanh")
    rc.load(path).compile(backend="c", H=2)
    model = rc.load(path).compile(backend="c", H=3)
    assert model.dimensions == {"H": 3}
    assert "tanh" in rc.load(path).definition.module.cells["Inner"].cell.span.text
    assert rc.load(path).latex()
    assert rc.load(path).compile(backend="numpy", H=2).size == 2


@pytest.mark.parametrize("changed", ["inner", "outer", "dtype", "without", "dimension"])
def test_a_change_is_seen(changed: str, tmp_path: Path) -> None:
    path = written(tmp_path, "tanh")
    first = rc.load(path).compile(backend="c", H=2)
    before = results(first)
    options: dict[str, Any] = {"H": 2}
    if changed == "inner":
        written(tmp_path, "sigmoid")
    elif changed == "outer":
        path.write_text(OUTER.replace("y = Inner(x)", "y = 2 * Inner(x)"))
    else:
        options |= {"dtype": {"dtype": "float64"}, "without": {"without": ["pack"]}, "dimension": {"H": 3}}[changed]
    second = rc.load(path).compile(backend="c", **options)
    assert (second.dtype, second.dimensions["H"]) == (options.get("dtype", "float32"), options["H"])
    assert second.programs.without == frozenset(options.get("without", ()))
    if changed in ("inner", "outer"):
        assert not same(results(second), before)


def test_a_mistake_that_comes_later_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "tanh")
    rc.load(path).compile(backend="c", H=2)
    (tmp_path / "inner.rnn").write_text(INNER.format(how="tanhh"))
    with pytest.raises(rc.SpecError, match="tanhh"):
        rc.load(path).compile(backend="c", H=2)
    (tmp_path / "inner.rnn").unlink()
    with pytest.raises(rc.SpecError, match=r"inner\.rnn"):
        rc.load(path).compile(backend="c", H=2)
    with pytest.raises(rc.UsageError):
        rc.load(SPECS / "lstm.rnn").compile(backend="c", N=3)


def test_the_tables_of_the_parser_are_remembered_where_the_shipped_ones_do_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(words, "tables_of", lambda *_: None)
    words.grammar.cache_clear()
    first = words.grammar()
    words.grammar.cache_clear()
    monkeypatch.setattr(words, "_built", lambda: pytest.fail("the tables were made again"))
    again = words.grammar()
    words.grammar.cache_clear()
    assert again is not first
    source = Source("lstm.rnn", (SPECS / "lstm.rnn").read_text(encoding="utf-8"))
    trees = []
    for reader in (first, again):
        for module in (words, parser):
            monkeypatch.setattr(module, "grammar", lambda reader=reader: reader)
        trees.append(parser.parse_file(source))
    assert trees[0] == trees[1]


def test_a_backend_that_is_installed_or_removed_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"

    def install(name: str) -> Path:
        about = site / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        home = "recurrency.backends.interpreter:backend"
        (about / "entry_points.txt").write_text(f"[{backend.GROUP}]\n{name} = {home}\n")
        return about

    monkeypatch.setattr("sys.path", [str(site), *sys.path])
    before = backend.names()
    first = install("alpha")
    assert backend.names() == backend.names() == sorted([*before, "alpha"])
    assert backend.find("alpha").name == "interpreter"
    install("beta")
    assert backend.names() == sorted([*before, "alpha", "beta"])
    for file in first.iterdir():
        file.unlink()
    first.rmdir()
    assert backend.names() == sorted([*before, "beta"])


def test_a_change_of_the_code_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = records.key("lstm")
    monkeypatch.setattr(records, "_code", lambda: "another")
    assert records.key("lstm") != before


def test_the_code_is_named_by_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.py").write_text("x = 1")
    (tmp_path / "a.txt").write_text("not code")
    before = list(records._files(str(tmp_path)))
    assert [Path(file).name for file, *_ in before] == ["a.py"]
    (tmp_path / "sub" / "a.py").write_text("x = 12")
    assert list(records._files(str(tmp_path))) != before


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"x" + data[1:]])
def test_damaged_records_are_made_again(damage: Any, folder: Path) -> None:
    wanted = results(rc.library.LSTM.compile(backend="c", N=3, H=4))
    paths = list(folder.glob("*.record"))
    assert len(paths) > 4
    for path in paths:
        path.write_bytes(damage(path.read_bytes()))
    assert same(results(rc.library.LSTM.compile(backend="c", N=3, H=4)), wanted)
    assert same(results(rc.library.LSTM.compile(backend="c", N=3, H=4)), wanted)


CONTENTS = {
    "no text": b"\xff\xfe",
    "no JSON": b"(",
    "another type": b'{"table":[["x",1]]}',
    "a tag that is not there": b'{"code":["print(1)"]}',
    "one field": b'{"fields":["LSTM"]}',
    "a wrong field": b'{"fields":["LSTM",{"table":[]},7]}',
    "deep": b'{"tuple":[' * 100_000 + b"]}" * 100_000,
    "large": b" " * (1 << 20) + b"1",
}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_record_with_the_right_seal_and_other_content_is_made_again(
    content: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_BYTES", 1 << 20)
    wanted = results(rc.library.LSTM.compile(backend="c", N=3, H=4))
    for path in folder.glob("*.record"):
        path.write_bytes(sealed(path.name, zlib.compress(CONTENTS[content])))
    assert same(results(rc.library.LSTM.compile(backend="c", N=3, H=4)), wanted)


def test_a_record_is_none_under_the_name_of_another(folder: Path) -> None:
    records.write("a" * 32, 1)
    assert records.read(int, "a" * 32) == 1
    (folder / f"{'b' * 32}.record").write_bytes((folder / f"{'a' * 32}.record").read_bytes())
    assert records.read(int, "b" * 32) is None


def test_nothing_is_read_from_or_written_to_a_folder_that_others_can_write(folder: Path) -> None:
    records.write("0" * 32, 1)
    folder.chmod(0o777)
    assert records.read(int, "0" * 32) is None
    rc.library.LSTM.compile(backend="c", N=3, H=4)
    assert len(list(folder.iterdir())) == 1


def test_nothing_is_remembered_where_that_is_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_RECORDS", "0")
    results(rc.library.LSTM.compile(backend="c", N=3, H=4))
    assert not folder.exists()
    monkeypatch.setenv("RECURRENCY_RECORDS", "no")
    with pytest.raises(rc.UsageError, match="RECURRENCY_RECORDS is 0 or 1"):
        rc.load(SPECS / "lstm.rnn")


def test_nothing_is_remembered_where_owners_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert records.enabled()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(records.os, "name", "nt")
        enabled = records.enabled()
    assert not enabled


def test_the_folder_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_FILES", 8)
    for k in range(40):
        records.write(records.key(k), k)
    assert 1 <= len(list(folder.iterdir())) <= 9
    assert records.read(int, records.key(39)) == 39


SLOW = ("click", "importlib.metadata", "networkx", "rich")
"""Packages that no model needs, and that take longer to import than a cell to compile."""


def test_a_process_with_records_imports_neither_parser_nor_graphs() -> None:
    lines = [
        f"SLOW = {SLOW}",
        "import sys, numpy as np, recurrency as rc",
        "model = rc.library.LSTM.compile(backend='c', N=3, H=4)",
        "run = model.forward(model.init(0), np.zeros((5, 2, 3), np.float32))",
        "model.backward(run, np.ones((5, 2, 4)))",
        "print(*(name in sys.modules for name in ('lark', 'recurrency.graph.graph', *SLOW)))",
    ]
    said = [
        subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["True True" + " False" * len(SLOW) + "\n", "False False" + " False" * len(SLOW) + "\n"]


@pytest.mark.parametrize(("owner", "name"), [(sys, "version"), (np, "__version__")], ids=["python", "numpy"])
def test_another_version_of_what_works_it_out_remembers_nothing_of_this_one(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = records.key("what")
    records._code.cache_clear()
    assert records.key("what") == before
    monkeypatch.setattr(owner, name, "another")
    records._code.cache_clear()
    assert records.key("what") != before
    monkeypatch.undo()
    records._code.cache_clear()


def test_another_state_of_the_code_remembers_nothing_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = records.key("what")
    monkeypatch.setattr(records, "_files", lambda folder: [(folder, 1, 2)])
    records._code.cache_clear()
    assert records.key("what") != before
    monkeypatch.undo()
    records._code.cache_clear()


def test_a_remembered_model_belongs_to_its_arrays_and_to_the_seed_of_constants() -> None:
    text = "cell T(x: []) -> (y: [2], z: []) {\n    const C : [2] = given\n    const c : [] ~ normal(0, 1)\n"
    text += "    y = C * x\n    z = c * x\n}\n"
    seen = set()
    for values, seed in (([1.0, 2.0], 0), ([1.0, 3.0], 0), ([1.0, 3.0], 1), ([1.0, 2.0], 0)):
        compiled = rc.parse(text).compile(backend="c", dtype="float64", C=np.array(values), const_seed=seed)
        outputs = compiled.forward(np.zeros(0), np.ones((1, 1))).outputs
        np.testing.assert_array_equal(outputs["y"][0, 0], values)
        seen.add(float(outputs["z"][0, 0]))
    assert len(seen) == 2


def test_a_remembered_model_belongs_to_the_cell_that_it_was_given() -> None:
    seen = []
    for how in ("tanh", "sin", "tanh"):
        cell = rc.parse(
            f"cell Inner[N, H](x: [N]) -> (h: [H]) {{\n    param w : [H, N] ~ ones\n    h = {how}(w @ x)\n}}\n"
        )
        model = rc.library.FirstElement.compile(backend="c", H=2, Cell=cell)
        x = np.ones((1, 1, 1), np.float32)
        seen.append(float(model.forward(np.ones(model.size, np.float32), x).outputs["y"][0, 0, 0]))
    assert seen[0] == seen[2] != seen[1]
