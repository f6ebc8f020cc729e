"""Plant each mutant and run its tests: `make mutants`. What is known already is not run again (`--out FOLDER`)."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.mutants import Mutant, clauses, kernels, language, passes, rules, training
from tests.mutants.tree import ROOT, Outcome, Tree

TABLES = (rules, passes, language, clauses, kernels, training)
LATE = 10.0
"""A mutant is stopped after so many times what its tests take without it (and no sooner than `LEAST` seconds)."""
LEAST = 120.0
WANTED = 0.95
SOURCES = (".py", ".lark", ".rnn")
IMPORTED = re.compile(rb"from tests\.((?:\w+\.)*test_\w+) import")


def mutants() -> list[Mutant]:
    """All of them."""
    return [mutant for table in TABLES for changes in table.CHANGES for mutant in changes.mutants()]


def planted(text: str, mutant: Mutant) -> str | None:
    """The file with the change; None where its old text does not stand there once."""
    if text.count(mutant.old) != 1 or mutant.old == mutant.new:
        return None
    new = text.replace(mutant.old, mutant.new)
    if mutant.file.endswith(".py"):
        compile(new, mutant.file, "exec")
    return new


class Session:
    """The results so far, in a file of JSON lines, and the copy of the sources."""

    def __init__(self, out: Path, tree: Tree) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.file, self.tree = out / "results.jsonl", tree
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        self.known: dict[str, dict[str, Any]] = {line["key"]: line for line in map(json.loads, lines)}
        self.seconds: list[float] = []
        """How long the tests of each mutant took that is judged."""

    def baseline(self, asked: str) -> float | None:
        """How long tests take on the sources as they are; None: they do not pass there, and say nothing of mutants."""

        def run() -> Outcome:
            found = self.tree.tests(asked, 900.0)
            return replace(found, word="interrupted") if found.word == "late" else found

        found = self._once("baseline", asked, run)
        return found["seconds"] if found["word"] == "passed" else None

    def mutant(self, mutant: Mutant) -> str:
        """What became of a mutant: `killed`, `survived`, `same`, `stale`, or `untested` where its tests fail anyhow.

        `interrupted`: its tests were ended from outside, or were late while they were slow without it as well.
        """
        text = self.tree.text(mutant.file)
        new = planted(text, mutant)
        if new is None:
            return "stale"
        seconds = self.baseline(mutant.tests)
        if seconds is None:
            return "untested"
        limit = max(LEAST, LATE * seconds)

        def run() -> Outcome:
            self.tree.write(mutant.file, new)
            try:
                found = self.tree.tests(mutant.tests, limit)
            finally:
                self.tree.write(mutant.file, text)
            if found.word == "late" and self.tree.tests(mutant.tests, limit / 2).word != "passed":
                return replace(found, word="interrupted")
            return found

        found = self._once(mutant.file + new, mutant.tests, run)
        if found["word"] == "interrupted":
            return "interrupted"
        self.seconds.append(found["seconds"])
        killed = found["word"] in ("failed", "late")
        return "killed" if killed else "same" if mutant.same else "survived"

    def _once(self, about: str, asked: str, run: Callable[[], Outcome]) -> dict[str, Any]:
        key = hashlib.sha256(json.dumps([about, asked, sources(self.tree.folder, asked)]).encode()).hexdigest()
        if key not in self.known:
            found = {"key": key, **asdict(run())}
            if found["word"] == "interrupted":
                return found
            self.known[key] = found
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.known[key]) + "\n")
        return self.known[key]


def sources(folder: Path, asked: str) -> str:
    """A name for all that tests which are asked for may read: all sources but those of mutants and of other tests."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.suffix in SOURCES}
    texts = {name: path.read_bytes() for name, path in files.items() if not name.startswith("tests/mutants/")}
    read = {
        *shlex.split(asked),
        *(f"tests/{m.decode().replace('.', '/')}.py" for t in texts.values() for m in IMPORTED.findall(t)),
    }
    digest = hashlib.sha256()
    for name in sorted(texts):
        if name in read or not Path(name).name.startswith("test_"):
            digest.update(texts[name])
    return digest.hexdigest()


def main(arguments: Iterable[str] | None = None) -> int:
    """Run what is asked for; 1 where too many survive or a text is no longer there."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "mutants-out", help="where results are kept")
    parser.add_argument("--only", default="", help="mutants whose file or name has this in it")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many minutes; call again to go on")
    parser.add_argument("--check", action="store_true", help="run nothing: say which texts are no longer there")
    asked = parser.parse_args(None if arguments is None else list(arguments))
    chosen = [m for m in mutants() if asked.only in m.file or asked.only in m.name]
    if asked.check:
        stale = [m for m in chosen if planted((ROOT / m.file).read_text(encoding="utf-8"), m) is None]
        _say(f"{len(chosen)} mutants, {len(stale)} stale", *(f"stale: {m.file}: {m.name}" for m in stale))
        return int(bool(stale))
    with tempfile.TemporaryDirectory(prefix="recurrency-mutants-") as folder:
        return _run(Session(asked.out, Tree(Path(folder) / "tree")), chosen, asked.minutes)


def _run(session: Session, chosen: list[Mutant], minutes: float) -> int:
    start, ends, left = time.monotonic(), dict[str, list[Mutant]](), 0
    for mutant in sorted(chosen, key=lambda m: m.tests):
        if time.monotonic() - start > 60 * minutes:
            left += 1
            continue
        word = session.mutant(mutant)
        ends.setdefault(word, []).append(mutant)
        _say(f"{word:12}{mutant.file}: {mutant.name}")
    count = Counter({word: len(found) for word, found in ends.items()})
    judged = count["killed"] + count["survived"]
    share = count["killed"] / judged if judged else 1.0
    _say(
        f"{judged + count['same']} planted: {count['killed']} killed of {judged} that make a difference ({share:.1%}), "
        f"{count['same']} make none, {count['stale']} stale, {left} left for another call",
        *(f"seconds of each: {_spread(session.seconds)}" for _ in session.seconds[:1]),
        *(f"survived: {m.file}: {m.name}" for m in ends.get("survived", [])),
        *(f"makes no difference: {m.file}: {m.name}: {m.same}" for m in ends.get("same", [])),
        *(f"stale: {m.file}: {m.name}" for m in ends.get("stale", [])),
        *(f"untested: {m.file}: {m.name}: {m.tests}" for m in ends.get("untested", [])),
        *(f"interrupted, to be tried again: {m.file}: {m.name}" for m in ends.get("interrupted", [])),
    )
    return int(share < WANTED or any((count["stale"], count["untested"], count["interrupted"], left)))


def _spread(seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    return f"median {middle:.0f}, mean {statistics.mean(seconds):.0f}, greatest {max(seconds):.0f}"


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
