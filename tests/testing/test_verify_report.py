"""`recurrency verify`: the report of a difference, backends, and the command line."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import recurrency as rc
import recurrency.passes
from recurrency import backend as backends
from recurrency.backend import Call
from recurrency.cli import cli
from recurrency.extras import install
from recurrency.passes import PASSES
from recurrency.testing import Case, Report, differences, verify
from recurrency.testing.verification import verify as searching
from recurrency.testing.verification.report import RULES, Row
from recurrency.testing.verification.shrink import smallest
from recurrency.testing.verification.verify import chosen
from tests.support.planting import Wrong, edited, scaled
from tests.support.verifying import ELMAN, elman

command = importlib.import_module("recurrency.cli.verify")


class Terminal(io.StringIO):
    """A terminal that remembers what it prints."""

    def isatty(self) -> bool:
        return True


# ------------------------------------------------------------------------------------------------ what is told of it


def test_backends_that_agree_are_green() -> None:
    report = verify(elman(), ["numpy", "interpreter"], examples=8)
    assert report.ok
    assert next((r.backend, r.examples, r.verdict) for r in report.rows) == ("numpy", 8, "equal")
    assert [r.backend for r in report.rows] == ["numpy", "interpreter", RULES]
    assert all(r.compared > 0 for r in report.rows)


def test_progress_counts_the_cases_of_each_spec() -> None:
    seen: list[tuple[str, int, int]] = []
    report = verify([elman(), elman()], ["numpy"], examples=3, progress=lambda *at: seen.append(at))
    assert seen == [("Elman", done, 3) for done in range(3)] * 2
    assert str(report).splitlines() == ["Elman, numpy: equal", f"Elman, {RULES}: equal"] * 2


def test_a_terminal_gets_a_bar_and_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = Terminal()
    monkeypatch.setattr(sys, "stderr", printed)
    with command._progress(4) as (notify, progress):
        assert notify is not None
        assert progress is not None
        progress("Elman", 1, 4)
        notify(Row("Elman", "numpy", examples=1))
    assert "Elman, numpy: equal" in printed.getvalue()
    assert "Elman" in printed.getvalue().replace("Elman, numpy: equal", "")


def test_each_of_several_processes_prints_its_rows_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    command._say(Row("Elman", "numpy", examples=1))
    assert sys.stderr.getvalue() == "Elman, numpy: equal\n"


def test_without_a_terminal_there_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with command._progress(4) as (notify, progress):
        assert (notify, progress) == (None, None)


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """One backend with a wrong tanh, beside one that is right."""
    folder = tmp_path_factory.mktemp("found")
    return verify(elman(), [Wrong("tanh", scaled(1 + 1e-5)), "numpy"], examples=12, folder=folder), folder


def test_a_difference_turns_one_row_red_and_the_others_go_on(red: tuple[Report, Path]) -> None:
    rows = {r.backend: r for r in red[0].rows}
    assert not red[0].ok
    assert rows["wrong"].verdict == "differs: op tanh (h)"
    assert rows["numpy"].verdict == "equal"
    assert rows["numpy"].examples > rows["wrong"].examples


def test_a_difference_is_shrunk_and_its_first_stream_told(red: tuple[Report, Path]) -> None:
    (found,) = red[0].findings
    assert found.case.dimensions == {"N": 1, "H": 1}
    assert (found.case.batch, found.case.steps, found.case.lengths) == (1, {"t": 1}, None)
    assert "param:U" in found.case.zeroed
    assert found.difference.result == "output:h"
    assert found.difference.axes == ("step", "sequence", "element")
    assert found.first is not None
    assert found.first.result == "stream:h"
    assert abs(found.difference.found / found.difference.wanted - 1) == pytest.approx(1e-5, rel=1e-3)
    line = "h = squash(W @ x + U @ h[t-1] + b)"
    number = 1 + [text.strip() for text in ELMAN.splitlines()].index(line)
    assert f"line {number} of simple.rnn: {line}" in str(found)


def test_a_ragged_case_becomes_small_as_well() -> None:
    case = Case({"N": 2, "H": 3}, {"t": 5}, 3, {"t": (5, 3, 0)}, state=True, values="large", cuts=(1, 3))
    small = smallest(elman(), case, lambda c: c.lengths is not None and len(set(c.lengths["t"])) > 1)
    assert (small.dimensions, small.steps, small.batch, small.lengths) == ({"N": 1, "H": 1}, {"t": 1}, 2, {"t": (1, 0)})
    assert (small.values, small.weights, small.cuts, small.state, small.spoilt) == ("zeros", "zeros", (), False, False)


def test_the_report_is_plain_data(red: tuple[Report, Path]) -> None:
    found = json.loads(json.dumps(red[0].as_json(), allow_nan=False))
    assert found["ok"] is False
    assert found["rows"][0]["finding"]["guilty"].startswith("op tanh (h)")
    assert found["rows"][1]["verdict"] == "equal"


def test_a_file_shows_the_difference_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = PASSES["pack"]
    with monkeypatch.context() as patch:
        wrong = lambda graph: edited(right(graph), "tanh", lambda y: -y)  # noqa: E731
        patch.setitem(recurrency.passes.PASSES, "pack", wrong)
        report = verify(elman(), "numpy", examples=3, folder=tmp_path)
        (found,) = report.findings
        text = Path(str(found.file)).read_text(encoding="utf-8")
        again: dict[str, object] = {}
        with pytest.raises(SystemExit) as done:
            exec(compile(text, str(found.file), "exec"), again)
        assert done.value.code == 1
    assert found.guilty == "pass pack"
    assert Path(str(found.file)).name == "recurrency-verify-Elman-numpy.py"
    healed = subprocess.run([sys.executable, str(found.file)], capture_output=True, text=True, timeout=100)
    assert (healed.returncode, healed.stdout) == (0, "0 differences\n")


def test_equal_seeds_draw_equal_cases() -> None:
    one, two = (verify(elman(), "numpy", examples=4, seed=3) for _ in range(2))
    assert [r.as_json() for r in one.rows] == [r.as_json() for r in two.rows]


# ----------------------------------------------------------------------------------------------------------- backends


def test_all_leaves_out_what_can_not_run_and_what_is_emulated() -> None:
    names, skipped = chosen("all")
    assert {"numpy", "interpreter"} <= set(names)
    assert "cupy-emulated" not in {*names, *skipped}
    assert skipped == {n: r for n, r in backends.describe().items() if r is not None}


def test_all_may_stand_beside_one_that_is_named() -> None:
    names, skipped = chosen(["all", "cupy-emulated"])
    assert (set(names), skipped) == ({*chosen("all")[0], "cupy-emulated"}, chosen("all")[1])
    assert chosen("all") == chosen(["all"]) == chosen(["numpy", "all", "numpy"])


def test_a_backend_that_is_named_must_be_able_to_run() -> None:
    with pytest.raises(rc.UsageError, match="there is no backend nunpy"):
        verify(elman(), ["numpy", "nunpy"])


def test_results_of_other_shapes_names_and_types_are_differences() -> None:
    class Odd(Wrong):
        def build(self, *arguments: object, **settings: object) -> object:
            inner = super().build(*arguments, **settings)

            def run(call: Call) -> dict[str, object]:
                values = inner(call)
                values["output:h"] = values["output:h"].astype("float16")
                del values["final:h"]
                return values

            return run

    found = differences(elman(), Case({"N": 1, "H": 1}, {"t": 1}), Odd("tanh", scaled(1.0)), ["forward"])
    assert [str(d) for d in found] == [
        "forward, float64: output:h holds float16 and not float64",
        "forward, float64: final:h is missing",
    ]


# -------------------------------------------------------------------------------------------------------- command line


def test_the_command_prints_a_table_and_ends_with_0(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    words = ["verify", "Linear", "--backends", "numpy", "--examples", "3", "-D", "K=2", "--json", str(file)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert "Linear   numpy" in result.output
    assert "no difference, seed 0" in result.output
    assert json.loads(file.read_text())["ok"] is True


def test_the_command_ends_with_1_where_something_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = PASSES["simplify"]
    wrong = lambda graph: edited(right(graph), "product", lambda y: y * 2.0)  # noqa: E731
    monkeypatch.setitem(recurrency.passes.PASSES, "simplify", wrong)
    folder = tmp_path / "not" / "yet"
    words = ["verify", "Linear", "--backends", "numpy", "--examples", "3", "--folder", str(folder)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 1, result.output
    assert "guilty   pass simplify" in result.output
    assert "1 difference, seed 0" in result.output
    assert [p.name for p in folder.iterdir()] == ["recurrency-verify-Linear-numpy.py"]
    machine = CliRunner().invoke(cli, [*words, "--json", "-"])
    assert (machine.exit_code, json.loads(machine.output)["rows"][0]["finding"]["guilty"]) == (1, "pass simplify")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Linear", "--backends", "nunpy"], "error: there is no backend nunpy"),
        (["Linear", "--backends", " , "], "name backends, such as numpy,torch, or all"),
        (["Linear", "-D", "Q=3"], "error: -D Q: Linear has no dimension Q (it has N, K)"),
        (["Linear", "IRNN", "-D", "Q=3"], "none of Linear, IRNN has the dimension Q (they have N, K, H)"),
        (["Linear", "-D", "N=3", "-D", "N=4"], "N is given twice"),
        (["Linear", "--json", "no/such.json"], "error: no/such.json can't be written: there is no folder no"),
        (["Linear", "--json", "."], "error: . is a folder; name a file in it"),
        (["Linear", "--folder", f"{__file__}/x"], f"error: {__file__}/x can't be a folder: {__file__} is a file"),
        (["Lin.rn"], "error: there is no file Lin.rn"),
        ([" "], "error: name a .rnn file or a shipped cell"),
        (["Linear", "--examples", "0"], "0 is not in the range"),
        (["no_such.rnn"], "error: there is no file no_such.rnn"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why_before_any_work(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "compared", None)
    result = CliRunner().invoke(cli, ["verify", *words])
    assert result.exit_code == 2
    assert said in result.output


def test_without_hypothesis_the_command_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from recurrency.cli import main; sys.argv = ['recurrency', 'verify', 'Linear']; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert result.returncode == 2
    assert install("verify") in result.stderr
    assert "Traceback" not in result.stderr


def test_public_names_are_what_they_are_in_whatever_order_they_are_imported() -> None:
    code = (
        "import recurrency.testing as t; from recurrency.testing import verify\n"
        "import sys; assert all(callable(getattr(t, n)) for n in t.__all__), 'a module has taken a name'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
