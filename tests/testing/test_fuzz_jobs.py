"""Processes of the fuzzer: what they give, and that none is left behind, however the one that started them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from recurrency.testing.fuzz import search
from recurrency.testing.fuzz.checks import Finding, Trial
from recurrency.testing.fuzz.command import main
from recurrency.testing.fuzz.jobs import together
from recurrency.testing.specs.strategy import Program

PATIENCE = 60
"""Seconds after which what should have ended hangs."""
TWO_AT_WORK = """\
from time import sleep

from recurrency.testing.fuzz.jobs import together

def work(name, seconds):
    try:
        print(f"{name} is at work", flush=True)
        sleep(seconds)
    except KeyboardInterrupt:
        return name
    return "done"

if __name__ == "__main__":
    print(together(work, [("a", 10_000), ("b", 10_000)]), flush=True)
"""
posix = pytest.mark.skipif(os.name != "posix", reason="a process is sent signals")


def ended_by(number: int, folder: Path, group: bool = False) -> tuple[int, str]:
    """The exit code of a process and what it and its children print, if it gets a signal while they work.

    Their output ends when the last of them has let go of it: a child that lives on makes this run out of patience.
    """
    file = folder / "at_work.py"
    file.write_text(TWO_AT_WORK, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    with process:
        try:
            assert process.stdout is not None
            said = process.stdout.read(len(2 * "a is at work\n"))  # two processes may print into one another's line
            assert said.count("is at work") == said.count("\n") == 2
            (os.killpg if group else os.kill)(process.pid, number)
            output, _ = process.communicate(timeout=PATIENCE)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


@posix
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_no_process_outlives_the_one_that_started_it(name: str, tmp_path: Path) -> None:
    number = getattr(signal, name)
    assert ended_by(number, tmp_path) == (-number, "")


@posix
@pytest.mark.parametrize("group", [True, False], ids=["as a terminal sends it", "to the parent alone"])
def test_ctrl_c_ends_all_and_keeps_what_they_have(group: bool, tmp_path: Path) -> None:
    code, output = ended_by(signal.SIGINT, tmp_path, group)
    assert code == 0, output
    assert output in {f"Gathered(results=['{a}', '{b}'], interrupted=True, died=[])\n" for a, b in ("ab", "ba")}


@posix
def test_a_process_does_not_hear_ctrl_c_itself_not_even_while_it_starts() -> None:
    blocked = signal.pthread_sigmask
    assert together(blocked, [(signal.SIG_BLOCK, ())] * 2).results == [{signal.SIGINT}] * 2
    assert signal.SIGINT not in blocked(signal.SIG_BLOCK, ())


def test_a_process_that_dies_leaves_the_results_of_the_others() -> None:
    out = together(os._exit, [(3,)])
    assert (out.results, out.died, out.interrupted) == ([], [3], False)
    both = together(divmod, [(7, 2), (9, 2)])
    assert (sorted(both.results), both.died, both.interrupted) == ([(3, 1), (4, 1)], [], False)


# ----------------------------------------------------------------------------------------------------- in the command


def interrupting(monkeypatch: pytest.MonkeyPatch, last: int, found: Finding | None = None, lost: bool = False) -> None:
    """Ctrl-C in the program after so many; with `found` each of them is that, and with `lost` no exception arrives."""
    count = iter(range(last))

    def checks(trial: Trial) -> tuple[Finding | None, int]:
        if next(count, None) is None:
            with suppress(KeyboardInterrupt) if lost else nullcontext():
                signal.raise_signal(signal.SIGINT)
        return found, 10

    monkeypatch.setattr(search, "checks", checks)


@pytest.mark.parametrize(("lost", "programs"), [(False, 3), (True, 4)])
def test_ctrl_c_ends_a_search_that_says_what_was_tried(
    lost: bool, programs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupting(monkeypatch, 3, lost=lost)
    run = CliRunner().invoke(main, ["--seconds", "1000", "--backends", "numpy"])
    assert f"\n{programs} programs in " in run.output
    assert run.output.endswith(f"{programs}0 numbers compared, 0 findings; interrupted\n")
    assert run.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_loses_no_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "cell One[N](x: [N]) -> (y: [N]) { y = x }"
    trial = Trial(Program(text, {"N": 2}), None, (), (), "numpy")
    interrupting(monkeypatch, 1, Finding("key", "something", trial))
    run = CliRunner().invoke(main, ["--seconds", "1000", "--backends", "numpy", "--out", str(tmp_path)])
    assert "found: something" in run.output
    assert run.output.endswith("1 findings; interrupted\n")
    assert run.exit_code == 1
    assert len(list(tmp_path.glob("found-*.rnn"))) == 1


def test_two_processes_search_with_seeds_of_their_own(tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["--seconds", "2", "--backends", "numpy", "--jobs", "2", "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    assert "numbers compared, 0 findings" in run.output
