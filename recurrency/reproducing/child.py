"""The process of one job: trains as `recurrency train` does, then computes the values that need the model.

    python -m recurrency.reproducing.child EXPERIMENT.toml FOLDER train WANTED...

Each WANTED is JSON, `["bleu", {"beam": 12}]`. With `measure` instead of `train` a run that is not finished stays as it
is, and only its values are computed. The process ends when its standard input is closed, which also happens
when the command that started it is killed: training then stops after a checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

from recurrency.errors import RecurrencyError, visible
from recurrency.reproducing.plan import Wanted
from recurrency.reproducing.readings import Run
from recurrency.reproducing.records import read_values, write_values
from recurrency.reproducing.store import VALUES_FILE
from recurrency.reproducing.values import VALUES
from recurrency.training.loop.progress import INTERRUPTED, DivergedError
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import RunFolder
from recurrency.training.runs.reporters import Write

DIVERGED, STOPPED, FAILED = 3, 130, 1
"""Exit codes."""
GRACE = 30.0
"""Seconds from the end of the command to that of this process."""


def perform(experiment: Path, folder: Path, wanted: list[Wanted], write: Write, trains: bool = True) -> int:
    """Train in a folder, or resume, if it `trains`; compute the values that are not there yet. Returns the exit code.

    Raises:
        RecurrencyError: it can't be trained, or a value can't be computed. OSError: a file can't be read or written.
    """
    if trains and not RunFolder(folder).finished:
        try:
            histories = run(Request(str(experiment), folder=str(folder), save_every=10.0, draws=False), write)
        except DivergedError as error:
            write(f"error: {error}")
            return DIVERGED
        if any(history.stopped == INTERRUPTED for history in histories):
            return STOPPED
    if os.environ.get("RANK", "0") == "0":
        evaluate(folder, wanted, write)
    return 0


def evaluate(folder: Path, wanted: list[Wanted], write: Write) -> None:
    """Compute the values of a finished run that are not in its folder yet."""
    path = folder / VALUES_FILE
    found = read_values(path)
    for one in wanted:
        if one.key in found or VALUES[one.value].quick:
            continue
        reading = VALUES[one.value].read(Run.at(folder), **one.options)
        if reading is not None:
            found[one.key] = reading
            write(f"{one.key}: {reading.value:.6g} {reading.words}".rstrip())
            write_values(path, found)


def _watch() -> None:
    """Stop when standard input is closed: as Ctrl-C does, and after a while at once."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(STOPPED)


def _say(text: str) -> None:
    print(visible(text), flush=True)


def main() -> None:
    """The process."""
    warnings.formatwarning = lambda message, *_, **__: visible(f"warning: {message}\n")
    # A command that a script runs in the background ignores Ctrl-C, and so would this process.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_watch, daemon=True).start()
    experiment, folder, what, *rest = sys.argv[1:]
    try:
        wanted = [Wanted(*json.loads(text)) for text in rest]
        code = perform(Path(experiment), Path(folder), wanted, _say, what == "train")
    except (RecurrencyError, OSError) as error:
        _say(f"error: {error}")
        code = FAILED
    except ModuleNotFoundError as error:
        _say(f"error: {error.name} is not installed")
        code = FAILED
    except KeyboardInterrupt:
        code = STOPPED
    sys.stdout.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
