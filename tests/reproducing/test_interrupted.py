"""Jobs in processes of their own: budgets, limits, Ctrl-C, killed processes. Nothing outlives the command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recurrency.errors import UsageError
from recurrency.reproducing import running
from recurrency.reproducing.records import Record, read
from recurrency.reproducing.starting import in_processes, in_this_process
from recurrency.reproducing.values import Run
from recurrency.training.runs import folders
from tests.support.studying import STUDY, reproduced, write_study

LONG = STUDY.replace("epochs = 2", "epochs = 300, patience = 300").replace("rates = [0.1, 0.001]", "skip = true")
"""Two runs of some seconds."""
ENDLESS = LONG.replace("300", "900000")
PATIENCE = 60.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(*words)` starts the command in a folder of its own, two jobs at a time."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "recurrency", "reproduce", *map(str, words), "--out", str(tmp_path / "out")]
        started.append(
            subprocess.Popen(
                [*command, "--processes", "2"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def children(folder: Path) -> list[int]:
    """The processes that train in a folder."""
    shown = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(None, 2) for line in shown.splitlines() if "reproducing.child" in line and str(folder) in line]
    return [int(pid) for pid, state, _ in lines if state[0] not in "ZX"]


def eventually(holds: Callable[[], object]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def training(folder: Path, count: int = 1) -> bool:
    """Whether so many runs have ended an epoch."""
    return sum('"epoch", ' in path.read_text() for path in folder.rglob("metrics.jsonl")) >= count


def jumping(out: Path, after: int = 0) -> Callable[[], float]:
    """A clock that jumps by a million seconds once a run has ended more epochs than `after`.

    It is read some times more before it jumps: on a slow machine, the runner sees the first line of a run and the end
    of its first epoch at once, and must have noted when the training began.
    """
    left = iter(range(10))

    def clock() -> float:
        over = any(p.read_text().count('"epoch", ') > after for p in out.rglob("metrics.jsonl"))
        return time.monotonic() + 1e6 * (over and next(left, None) is None)

    return clock


def found(folder: Path) -> list[Record]:
    return [record for path in sorted(folder.glob("out/runs/*/*.json")) if (record := read(path)) is not None]


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def inherited(request: pytest.FixtureRequest) -> Iterator[None]:
    """What jobs inherit for Ctrl-C: in the background of a script it is ignored."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("inherited")
def test_a_budget_stops_all_runs_and_the_report_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps to the end of the budget once a run has ended an epoch."""
    path, out = write_study(tmp_path, ENDLESS), tmp_path / "out"
    monkeypatch.setattr(running, "monotonic", jumping(out))
    said, report = reproduced(path, out, start=in_processes, processes=1, budget=1e5)
    assert "the budget is spent; running jobs make a checkpoint and stop" in said
    assert re.search(r"\*\*missing\*\*, stopped by the budget after \d+ of 900000 epochs; test was 0\.\d+ then", report)
    assert re.search(r"\*\*missing\*\*, it has not run .*: three units, seed 1", report)
    assert not re.search(r"^\| (three|two) units \| \d", report, re.MULTILINE), "no number of an unfinished run"
    assert "**undecided**" in report
    assert [record.state for record in found(tmp_path)] == ["stopped"]
    assert children(tmp_path) == []


def test_ctrl_c_stops_after_a_checkpoint_and_the_next_command_ends_with_the_same_numbers(
    start: Start, tmp_path: Path
) -> None:
    path = write_study(tmp_path, LONG)
    process = start(path)
    assert eventually(lambda: training(tmp_path / "out"))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in said) == (130, False), said
    assert "interrupted; the same command goes on from here" in said
    stopped = [record for record in found(tmp_path) if record.state == "stopped"]
    assert stopped
    assert children(tmp_path) == []
    assert all("stopped by an interrupt" in record.reason for record in stopped)
    said_again, _ = reproduced(path, tmp_path / "out")
    assert any("goes on" in words for words in said_again)
    reproduced(path, tmp_path / "whole")
    for record in stopped:
        runs = [Run.at(tmp_path / out / "runs" / record.study / record.name) for out in ("out", "whole")]
        assert runs[0].end["test"] == runs[1].end["test"]
        assert len(runs[0].epochs) == len(runs[1].epochs) == 300


def test_a_killed_job_is_a_row_with_its_reason_and_the_next_command_resumes_it(start: Start, tmp_path: Path) -> None:
    path = write_study(tmp_path, LONG)
    process = start(path)
    assert eventually(lambda: training(tmp_path / "out"))
    victim = children(tmp_path)[0]
    os.kill(victim, signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    (killed,) = [record for record in found(tmp_path) if record.state != "finished"]
    assert (killed.state, killed.reason) == ("failed", "the process was ended by SIGKILL")
    assert len(found(tmp_path)) == 2
    again, report = reproduced(path, tmp_path / "out")
    assert again[0].startswith("1 runs to do")
    assert "**missing**" not in report


def test_jobs_end_when_the_command_is_killed(start: Start, tmp_path: Path) -> None:
    process = start(write_study(tmp_path, ENDLESS))
    assert eventually(lambda: training(tmp_path / "out", 2))
    assert len(children(tmp_path)) == 2
    process.kill()
    process.wait()
    assert eventually(lambda: not children(tmp_path))
    checkpoints = list((tmp_path / "out").rglob("checkpoint.safetensors"))
    assert len(checkpoints) == 2
    ends = [Run.at(path.parent).end for path in checkpoints]
    assert [end["stopped"] for end in ends] == ["interrupted"] * 2


def test_two_commands_do_not_share_a_folder(start: Start, tmp_path: Path) -> None:
    path = write_study(tmp_path, ENDLESS)
    process = start(path)
    assert eventually(lambda: training(tmp_path / "out"))
    with pytest.raises(UsageError, match="another process runs studies in"):
        reproduced(path, tmp_path / "out")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, "as Ctrl-C"
    assert children(tmp_path) == []


def test_a_run_that_reaches_its_limit_counts_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, out = ENDLESS.replace("minutes = 0.1", "limit = 10"), tmp_path / "out"
    path = write_study(tmp_path, text.replace("seeds = [0, 1]", "seeds = [0]"))
    monkeypatch.setattr(running, "monotonic", jumping(out))
    _, report = reproduced(path, out, start=in_processes)
    (record,) = found(tmp_path)
    assert record.state == "limit"
    assert record.reason == f"stopped by its limit after {record.epochs} of 900000 epochs"
    assert re.search(r"^\| three units \| \d", report, re.MULTILINE)
    said, _ = reproduced(path, out, start=in_this_process)
    assert said[0].startswith("0 runs to do")
    path.write_text(path.read_text().replace("limit = 10", "limit = 20"))
    monkeypatch.setattr(running, "monotonic", jumping(out, record.epochs))
    said, _ = reproduced(path, out, start=in_processes)
    assert any("goes on" in words for words in said)
    assert found(tmp_path)[0].epochs > record.epochs


def test_values_that_need_the_model_are_computed_of_a_run_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that does not train on."""
    text = ENDLESS.replace("minutes = 0.1", "limit = 10").replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace('value = "test"', 'value = "gradient-kept"\nwith = { streams = "y.Cell.h" }')
    path, out = write_study(tmp_path, text.replace('curve = "valid"\n', "")), tmp_path / "out"
    monkeypatch.setattr(running, "monotonic", jumping(out))
    said, report = reproduced(path, out, start=in_processes)
    assert any("is measured" in words for words in said)
    (record,) = found(tmp_path)
    assert (record.state, record.reason) == ("limit", f"stopped by its limit after {record.epochs} of 900000 epochs")
    assert re.search(r"^\| three units \| \d", report, re.MULTILINE)
    assert reproduced(path, out, start=in_processes)[0][0].startswith("0 runs to do")


# ------------------------------------------------------------------------------------------------------------ faults


def full(*args: object) -> None:
    raise UsageError("the file can't be written: No space left on device")


def test_a_full_disk_in_training_is_a_row_and_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_study(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(folders, "write", full)
        said, report = reproduced(path, tmp_path / "out", scale="tiny")
    assert sum("failed, the file can't be written: No space left" in words for words in said) == 3
    assert "failed: the file can't be written: No space left on device" in report
    said, report = reproduced(path, tmp_path / "out", scale="tiny")
    assert "**missing**" not in report


def test_a_full_disk_when_a_record_is_written_ends_the_command_and_all_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ENDLESS.replace("skip = true", "training = { epochs = 1 }").replace("small = {", "paper = {")
    path = write_study(tmp_path, text)
    monkeypatch.setattr(Record, "write", full)
    with pytest.raises(UsageError, match="No space left"):
        reproduced(path, tmp_path / "out", start=in_processes, processes=2)
    assert children(tmp_path) == []


def test_a_job_that_can_not_be_started_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    said, report = reproduced(write_study(tmp_path), tmp_path / "out", scale="tiny", start=in_processes)
    assert sum("can't be started: No such file" in words for words in said) == 3
    assert "**missing**" in report


# ---------------------------------------------------------------------------------------------------- several processes


@pytest.mark.long
def test_a_job_of_two_processes_trains_stops_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    text, out = ENDLESS.replace("minutes = 0.1", "processes = 2\nlimit = 10"), tmp_path / "out"
    path = write_study(tmp_path, text.replace("seeds = [0, 1]", "seeds = [0]"))
    monkeypatch.setattr(running, "monotonic", jumping(out))
    said, _ = reproduced(path, out, start=in_processes, processes=1)
    (record,) = found(tmp_path)
    assert (record.state, record.beside) == ("limit", 2), said
    assert record.epochs > 0
    assert Run.at(out / "runs" / record.study / record.name).end["stopped"] == "interrupted"
    path.write_text(path.read_text().replace("limit = 10", "limit = 20"))
    monkeypatch.setattr(running, "monotonic", jumping(out, record.epochs))
    reproduced(path, out, start=in_processes, processes=2)
    assert found(tmp_path)[0].epochs > record.epochs
    assert children(tmp_path) == []
