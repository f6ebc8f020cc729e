"""Random programs against all backends, for a given time: `python -m recurrency.testing.fuzz --minutes 10`.

Findings are reduced and written as `.rnn` files, each with a script that reproduces it. The exit code is 1 if there are
findings or a process died, else 130 after Ctrl-C, and 2 for a wrong call.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click

from recurrency.backend import TIERS, find, optimising, tier
from recurrency.disk.files import require_folder, write_whole
from recurrency.errors import RecurrencyError, UsageError
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from recurrency.testing.fuzz.checks import Finding, Trial, checks
from recurrency.testing.fuzz.drawn import table
from recurrency.testing.fuzz.jobs import interrupted_by, together
from recurrency.testing.fuzz.search import Search
from recurrency.testing.specs.strategy import Program
from recurrency.testing.verification.blame import guilty

BACKENDS = "numpy,torch,c,cupy-emulated"


@dataclass
class Findings:
    """The result of a search."""

    found: list[Finding] = field(default_factory=list)
    programs: int = 0
    compared: int = 0
    """The number of elements compared with the interpreter."""
    seconds: float = 0.0
    again: int = 0
    """How often a known finding occurred again."""
    interrupted: bool = False
    """Whether Ctrl-C ended the search early."""
    died: list[int] = field(default_factory=list)
    """The exit codes of processes that died, negative for a signal."""
    drawn: Counter[tuple[str, str]] = field(default_factory=Counter)
    """In how many programs each construct was drawn, by heading and name."""

    @property
    def exit_code(self) -> int:
        """Of the command."""
        return 1 if self.found or self.died else 130 if self.interrupted else 0

    def __str__(self) -> str:
        rate = 60.0 * self.programs / max(self.seconds, 1e-9)
        heads = f"{self.programs:,} programs in {self.seconds:,.0f} s ({rate:.0f} a minute)"
        tail = f"{self.compared:,} numbers compared, {len(self.found)} findings"
        again = f" ({self.again} times more)" if self.again else ""
        died = f"; processes died, with exit codes {', '.join(map(str, self.died))}" if self.died else ""
        return f"{heads}, {tail}{again}{died}{'; interrupted' * self.interrupted}"


def fuzz(seconds: float, backends: Sequence[str], seed: int = 0, out: Path | None = None, jobs: int = 1) -> Findings:
    """Try random programs for some time; write findings to the folder `out`, if given.

    Ctrl-C ends it before, with what was found so far.

    Raises:
        UsageError: no backend is named, one is not installed or can't run here, or `out` is a file.
    """
    if not backends:
        raise UsageError("there is no backend to be tried: name some, such as numpy,torch")
    for name in backends:
        find(name)
    if out is not None:
        require_folder(out)
    if jobs < 2:
        return _alone(seconds, tuple(backends), seed, out)
    begin = time.monotonic()
    parts = together(_alone, [(seconds, tuple(backends), seed * jobs + k, out) for k in range(jobs)])
    total = Findings(seconds=time.monotonic() - begin, interrupted=parts.interrupted, died=parts.died)
    for part in parts.results:
        total.interrupted |= part.interrupted
        total.programs += part.programs
        total.compared += part.compared
        total.again += part.again
        total.drawn += part.drawn
        total.found += [f for f in part.found if f.key not in {g.key for g in total.found}]
    return total


def _alone(seconds: float, backends: tuple[str, ...], seed: int, out: Path | None) -> Findings:
    """The search in this process."""
    begin = time.monotonic()

    def report(finding: Finding) -> None:
        click.echo(f"found: {finding.what}")
        if out is not None:
            click.echo(f"       {write(finding, out)}")

    search = Search(backends, begin + seconds, report)
    with suppress(KeyboardInterrupt), interrupted_by(search.stop):
        search.run(seed)
    spent = time.monotonic() - begin
    counts = (search.programs, search.compared, spent, search.again, search.stopped)
    return Findings(search.findings, *counts, drawn=search.drawn)


# ------------------------------------------------------------------------------------------------------------ reports

SCRIPT = '''"""{what}"""

from pathlib import Path

from recurrency.testing.case import Case
from recurrency.testing.fuzz.command import replay

replay(
    Path(__file__).with_suffix(".rnn"),
    {case!r},
    kinds={kinds!r},
    without={without!r},
    backend={backend!r},
    slopes={slopes!r},
)
'''


def write(finding: Finding, folder: Path) -> Path:
    """Write a finding as a spec and a script that reproduces it; returns the path of the script."""
    folder.mkdir(parents=True, exist_ok=True)
    trial = finding.trial
    name = f"found-{hashlib.sha256((finding.key + trial.program.text).encode()).hexdigest()[:8]}"
    notes = [*finding.what.splitlines(), f"dimensions: {trial.program.dimensions}"]
    write_whole(folder / f"{name}.rnn", noted(notes, trial.program.text))
    what = finding.what.replace("\\", "/").replace('"""', "'''")
    settings = {"kinds": trial.kinds, "without": trial.without, "backend": trial.backend, "slopes": trial.slopes}
    write_whole(folder / f"{name}.py", SCRIPT.format(what=what, case=trial.case, **settings).encode())
    write_whole(folder / f"{name}.txt", finding.details.encode())
    notes += blamed(finding)  # takes its time, and may be interrupted
    write_whole(folder / f"{name}.rnn", noted(notes, trial.program.text))
    return folder / f"{name}.py"


def noted(notes: Sequence[str], text: str) -> bytes:
    """A spec with comments in its first lines."""
    return ("".join(f"# {line}\n" for line in notes) + text).encode()


def blamed(finding: Finding) -> list[str]:
    """The suspected pass or operation, if numbers are wrong."""
    trial = finding.trial
    if trial.case is None:
        return []
    try:
        spec = trial.program.spec()
        found = differences(spec, trial.case, trial.backend, trial.kinds, trial.without)
        return [f"guilty: {guilty(spec, trial.case, trial.backend, found[0])}"] if found else []
    except Exception:  # a program on which the compiler fails has no numbers
        return []


def replay(
    path: Path, case: Case | None, kinds: Sequence[str], without: Sequence[str], backend: str, slopes: bool = False
) -> Finding | None:
    """Repeat the checks of the fuzzer on a spec, and print what is wrong."""
    sizes = dict(case.dimensions) if case is not None else {}
    program = Program(path.read_text(encoding="utf-8"), sizes)
    finding, _ = checks(Trial(program, case, tuple(kinds), tuple(without), backend, slopes))
    click.echo(f"{finding.what}\n{finding.details}" if finding is not None else "nothing is wrong any more")
    return finding


@click.command()
@click.option("--seconds", type=click.FloatRange(0), help="How long; or in --minutes.")
@click.option("--minutes", type=click.FloatRange(0), default=10.0, show_default=True)
@click.option("--backends", default=BACKENDS, show_default=True, help="Names, with commas between them.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes, each with programs of its own."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("fuzz-findings"), show_default=True)
@click.option(
    "--optimise", type=click.Choice(TIERS), help="Of the backend c: code as users run it, or that compiles faster."
)
def main(
    seconds: float | None, minutes: float, backends: str, seed: int, jobs: int, out: Path, optimise: str | None
) -> None:
    """Try random programs on some backends for some time."""
    names = [name.strip() for name in backends.split(",") if name.strip()]
    try:
        with optimising(tier(optimise)):
            found = fuzz(60.0 * minutes if seconds is None else seconds, names, seed, out, jobs)
    except RecurrencyError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    click.echo(table(found.drawn, found.programs))
    click.echo(str(found))
    raise SystemExit(found.exit_code)
