"""A run that is kept in a folder survives whatever happens to its process, and is the same when it is repeated."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from recurrency.errors import UsageError
from recurrency.training.loop.progress import History
from recurrency.training.loop.snapshots import read
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import BEST, CHECKPOINT, METRICS, PREVIOUS, RUN, RunFolder
from recurrency.training.runs.metrics import Metrics, draw_losses, read_metrics

OPTIONS = {"epochs": 3, "length": 6, "batch": 4, "log-form": "quiet", "log-every": 7}


def kept(folder: Path, **more: Any) -> tuple[History, list[str]]:
    said: list[str] = []
    options = {**OPTIONS, **more.pop("options", {})}
    request = Request("first-element", None, {"H": 3}, options, folder=str(folder), save_every=0.0, **more)
    (history,) = run(request, said.append)
    return history, said


def facts(folder: Path) -> list[dict[str, Any]]:
    """The metrics without times."""
    return [{k: v for k, v in line.items() if k != "seconds"} for line in read_metrics(folder / METRICS)]


def weights(folder: Path) -> dict[str, bytes]:
    """The bits of the best parameters."""
    return {name: array.tobytes() for name, array in load_file(folder / BEST).items()}


def test_a_folder_holds_spec_options_versions_metrics_and_weights(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    history, said = kept(folder)
    text = (folder / RUN).read_text(encoding="utf-8")
    assert 'spec = "spec/first_element.rnn:FirstElement"' in text
    assert "seed = 0" in text
    assert "[versions]" in text
    assert (folder / "spec" / "first_element.rnn").exists()
    assert (folder / "spec" / "library").is_dir()
    lines = facts(folder)
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == [0, 1, 2]
    assert [line["step"] for line in lines if line["event"] == "update"] == list(range(7, 301, 7))
    assert lines[-1]["event"] == "end"
    assert lines[-1]["test"] == history.test
    assert sum(array.size for array in load_file(folder / BEST).values()) == history.params.size
    assert "valid" in said[-1]


def test_a_finished_run_is_repeated_with_the_same_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    kept(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    said: list[str] = []
    run(Request(str(folder)), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    spoilt = [line.replace('"train": 0.', '"train": 1.') if '"epoch": 1' in line else line for line in lines]
    (folder / METRICS).write_text("\n".join(spoilt) + "\n", encoding="utf-8")
    run(Request(str(folder)), said.append)
    assert said[-1] == "the losses are others from epoch 1 on"


def test_a_run_can_be_the_start_of_another(tmp_path: Path) -> None:
    kept(tmp_path / "one")
    (history,) = run(
        Request(str(tmp_path / "one"), options={"epochs": 1}, folder=str(tmp_path / "two")), lambda w: None
    )
    assert len(history.epochs) == 1
    assert (tmp_path / "two" / RUN).exists()
    with pytest.raises(UsageError, match="goes on as it began, or with more --epochs; to train otherwise, name a new"):
        run(Request(str(tmp_path / "one"), options={"rate": 0.1}), print)


# ------------------------------------------------------------------------------------------------------ kill and resume


DRIVER = """
import os, random, signal, sys, time
from pathlib import Path
from recurrency.training.runs.command import Request, run

def begun(folder, target, **more):
    child = os.fork()
    if child == 0:
        run(Request(target, folder=folder, save_every=0.0, **more), lambda words: None)
        os._exit(0)
    return child

def size(path):
    return path.stat().st_size if path.exists() else 0

options = {"epochs": 3, "length": 6, "batch": 4, "log-form": "quiet", "log-every": 3}
fresh = {"dimensions": {"H": 3}, "options": options, "task_options": {"steps": 40, "held": 100}}
os.waitpid(begun("unbroken", "first-element", **fresh), 0)
kills = 0
for seed in range({runs}):
    folder, chance = Path(f"run{seed}"), random.Random(seed)
    while kills <= seed + seed // 2:
        child = begun(str(folder), str(folder), **{}) if (folder / "run.toml").exists() else begun(
            str(folder), "first-element", **fresh)
        until = size(folder / "metrics.jsonl") + chance.uniform(0.0, 0.7) * size(Path("unbroken/metrics.jsonl"))
        while size(folder / "metrics.jsonl") <= until and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(chance.uniform(0.0, 0.003))
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            break  # it had ended
        kills += 1
    os.waitpid(begun(str(folder), str(folder) if (folder / "run.toml").exists() else "first-element",
                     **({} if (folder / "run.toml").exists() else fresh)), 0)
print(kills)
"""


def command(folder: Path, *words: str) -> subprocess.Popen[str]:
    quiet = {"env": {**os.environ, "OPENBLAS_NUM_THREADS": "1"}, "cwd": folder, "text": True}
    arguments = [sys.executable, *words]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **quiet)


@pytest.mark.parametrize("runs", [5, pytest.param(20, marks=pytest.mark.long)])
def test_runs_that_are_killed_and_go_on_end_with_the_same_bits(runs: int, tmp_path: Path) -> None:
    """Runs, killed (SIGKILL) at random moments, half of them twice; a checkpoint after every update."""
    said, _ = command(tmp_path, "-c", DRIVER.replace("{runs}", str(runs))).communicate()
    assert int(said) >= runs, said
    one = read(tmp_path / "unbroken" / CHECKPOINT)
    for seed in range(runs):
        folder = tmp_path / f"run{seed}"
        assert weights(folder) == weights(tmp_path / "unbroken")
        assert facts(folder) == facts(tmp_path / "unbroken")
        other = read(folder / CHECKPOINT)
        np.testing.assert_array_equal(one.params, other.params)
        for name, slot in one.slots.items():
            np.testing.assert_array_equal(slot, other.slots[name])


class Killed(BaseException):
    """The process ends here."""


class FileOperations:
    """Counts the operations on files below a folder; the one with the number `last`, and all after it, fail.

    So nothing is written or removed after that point, as when a process is killed.
    """

    EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.chmod")

    def __init__(self) -> None:
        self.below: Path | None = None
        self.count, self.last = 0, None
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.below is None or event not in self.EVENTS or not str(args[0]).startswith(str(self.below)):
            return
        self.count += 1
        if self.last is not None and self.count >= self.last:
            raise Killed

    @contextlib.contextmanager
    def until(self, below: Path, last: int | None) -> Iterator[None]:
        self.below, self.last, self.count = below, last, 0
        try:
            yield
        finally:
            self.below = None


@pytest.fixture(scope="module")
def operations() -> FileOperations:
    return FileOperations()


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
def test_a_run_may_be_killed_before_any_of_its_writes(every: int, operations: FileOperations, tmp_path: Path) -> None:
    """The next command goes on or begins anew, and ends with the same bits; nothing else is left in the folder."""
    more: dict[str, Any] = {"options": {"epochs": 1}, "task_options": {"steps": 2, "held": 4}}
    kept(tmp_path / "start", **more)
    more["weights"] = str(tmp_path / "start")
    with operations.until(tmp_path / "whole", None):
        whole, _ = kept(tmp_path / "whole", **more)
    count = operations.count
    assert count > 40
    names = sorted(str(p.relative_to(tmp_path / "whole")) for p in (tmp_path / "whole").rglob("*"))
    for last in range(1, count + 1, every):
        folder = tmp_path / f"run{last}"
        with pytest.raises(Killed), operations.until(folder, last):
            kept(folder, **more)
        history, _ = kept(folder, **more)
        np.testing.assert_array_equal(history.params, whole.params)
        assert weights(folder) == weights(tmp_path / "whole")
        assert facts(folder) == facts(tmp_path / "whole")
        assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == names


WORDS = (
    "-m recurrency train first-element --epochs 1000000 --patience 1000000 --length 6 --log-every 7 --log-form quiet"
)


def test_ctrl_c_saves_and_ends_and_the_run_goes_on(tmp_path: Path) -> None:
    steps = []
    for words in (f"{WORDS} --run kept --save-every 100000", "-m recurrency train kept --save-every 100000"):
        process = command(tmp_path, *words.split())
        before = len(read_metrics(tmp_path / "kept" / METRICS))
        while len(read_metrics(tmp_path / "kept" / METRICS)) <= before + 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        assert process.returncode == 130
        assert "interrupted" in said
        assert "Traceback" not in said
        steps.append(read(tmp_path / "kept" / CHECKPOINT).step)
    assert f"going on with kept from epoch {steps[0] // 100}, step {steps[0]}" in said
    assert steps[1] > steps[0]


# ---------------------------------------------------------------------------------------------------------- bad luck


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A folder with two checkpoints of a run that has not ended."""
    folder = tmp_path / "half"
    kept(folder)
    lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    (folder / METRICS).write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    assert (folder / PREVIOUS).exists()
    return folder


def test_a_broken_checkpoint_is_told_and_the_one_before_is_taken(half: Path) -> None:
    (half / CHECKPOINT).write_bytes((half / CHECKPOINT).read_bytes()[:500])
    said: list[str] = []
    (history,) = run(Request(str(half)), said.append)
    assert any("cannot read the checkpoint" in words and "trying the one before" in words for words in said)
    assert len(history.epochs) == 3
    (half / CHECKPOINT).write_bytes(b"")
    (half / PREVIOUS).unlink()
    (half / METRICS).write_text("")
    with pytest.raises(UsageError, match=r"no checkpoint of .* can be read"):
        run(Request(str(half)), lambda words: None)


def test_a_full_disk_ends_training_and_leaves_the_last_checkpoint(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, before = RunFolder(half), (half / CHECKPOINT).read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device; the checkpoint before is kept"):
        folder.write_checkpoint(read(half / CHECKPOINT))
    assert (half / CHECKPOINT).read_bytes() == before
    assert not list(half.glob(".checkpoint*"))


def test_a_folder_that_another_process_writes_to_is_refused(half: Path) -> None:
    with RunFolder(half).locked(), pytest.raises(UsageError, match="another process is training in"):
        kept(half)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        kept(tmp_path / "letters")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be made"):
        kept(tmp_path / "file")


def test_other_options_are_refused_with_the_difference(half: Path) -> None:
    with pytest.raises(UsageError, match=r"other options.*\n  training.rate: 0.01 in the run, 0.5 now"):
        kept(half, options={"rate": 0.5})


def test_another_spec_is_refused_with_the_difference(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "specs" / "first_element.rnn").read_text(encoding="utf-8")
    (tmp_path / "mine.rnn").write_text(text, encoding="utf-8")
    request = Request(
        str(tmp_path / "mine.rnn"), "first-element", {"H": 3}, {**OPTIONS, "epochs": 1}, folder=str(tmp_path / "r")
    )
    run(request, lambda words: None)
    run(request, lambda words: None)
    (tmp_path / "mine.rnn").write_text(text.replace("    loss", "    loss 2 *"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"(?s)another spec.*\n-    loss .*\n\+    loss 2 \*"):
        run(request, lambda words: None)


def test_the_run_goes_by_its_own_copy_of_the_spec(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "specs" / "first_element.rnn").read_text(encoding="utf-8")
    (tmp_path / "mine.rnn").write_text(text, encoding="utf-8")
    options = {**OPTIONS, "epochs": 1}
    run(Request(str(tmp_path / "mine.rnn"), "first-element", {"H": 3}, options, folder=str(tmp_path / "r")), print)
    (tmp_path / "mine.rnn").unlink()
    said: list[str] = []
    run(Request(str(tmp_path / "r")), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"


# ------------------------------------------------------------------------------------------------------------ metrics


def test_a_line_that_was_written_in_part_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    path.write_text(json.dumps({"event": "update", "step": 1}) + '\n{"event": "upd', encoding="utf-8")
    assert [line["step"] for line in read_metrics(path)] == [1]
    Metrics(path).close()
    assert read_metrics(path) == []


def test_the_curve_is_a_picture_of_all_runs(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [{"event": "epoch", "step": 10 * i, "train": 1 / i, "valid": 1.1 / i} for i in range(1, 9)]
    draw_losses({"one": lines, "two": lines[:4]}, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"


def test_a_run_without_an_epoch_has_an_empty_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [{"event": "epoch", "step": 10, "train": 1.0, "valid": None}]
    draw_losses({"one": []}, tmp_path / "one.png")
    draw_losses({"one": [], "two": lines}, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "two.png").read_bytes()[:4] == b"\x89PNG"
