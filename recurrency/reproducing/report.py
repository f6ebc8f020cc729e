"""The report in Markdown: measured and published numbers side by side, each with the runs that it is from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from recurrency.errors import UsageError, visible
from recurrency.reproducing.pictures import CURVES, PICTURES
from recurrency.reproducing.plan import Case
from recurrency.reproducing.results import FAILS, HOLDS, OPEN, Outcome, Result, judged, outcome
from recurrency.reproducing.scenes import Picture, Scene, Shown
from recurrency.reproducing.store import Store
from recurrency.reproducing.studies import Claim, Drawn, Study, Table

LEGEND = """Each number is the mean over the seeds that have ended; "spread" is the smallest and the largest, and the
standard deviation (±) where there are three seeds or more. A **miss** is worse than published by more than the
tolerance of the table (5 % unless the table says otherwise). A run that was stopped early is never part of a mean.
Seeds link to the folders of the runs, which hold every option."""


USUAL = "small"
"""The scale that names of pictures leave out."""


@dataclass
class Report:
    """A report over studies. Links are relative to the folder of `path`; pictures are written to `pictures`.

    `stores` have the runs, the first one before the others; `absent` are studies that did not run, with the reason.
    """

    path: Path
    pictures: Path
    title: str
    introduction: str
    stores: tuple[Store, ...]
    absent: dict[str, str] = field(default_factory=dict)
    machines: list[str] = field(default_factory=list)
    undrawn: str = ""
    draws: bool = True
    """Whether pictures are drawn; else those that are there are shown."""

    def text(self, studies: Sequence[tuple[Study, list[Case]]]) -> str:
        """The whole report."""
        found = [(study, [outcome(case, self.stores) for case in cases]) for study, cases in studies]
        sections = [self._study(study, outcomes) for study, outcomes in found]
        head = [f"# {self.title}", self.introduction, LEGEND.replace("\n", " ")]
        if self.undrawn:
            head.append(f"Pictures are missing: {self.undrawn}.")
        head.append(_summary(found))
        absent = [f"- **{name}**: {escaped(reason)}" for name, reason in self.absent.items()]
        if absent:
            sections.append("\n\n".join(["## Not run", "\n".join(absent)]))
        machines = [f"- {letter(i)}: {escaped(words)}" for i, words in enumerate(self.machines)]
        if machines:
            sections.append("\n\n".join(["## Machines", "\n".join(machines)]))
        return "\n\n".join([*head, *sections]) + "\n"

    # ------------------------------------------------------------------------------------------------------- sections

    def _study(self, study: Study, found: list[Outcome]) -> str:
        out = [f"## {escaped(study.paper)}", f"`{study.name}`: {escaped(study.about)}"]
        scales = dict.fromkeys(one.case.scale for one in found)
        at = [f"At the scale `{scale}`: {escaped(words)}" for scale in scales if (words := study.scales[scale].about)]
        if changed := [*map(escaped, study.changed), *at]:
            out += ["Changed:", "\n".join(f"- {words}" for words in changed)]
        for own in by_table(study, found):
            out += self._table(study, own[0].case.table, own)
        for drawn in study.pictures:
            for own in by_table(study, found):
                if own[0].case.table.name == drawn.table:
                    out += self._picture(study, drawn, PICTURES[drawn.kind], own)
        runs = self._runs(found)
        return "\n\n".join([*out, *(["### Runs", runs] if runs else [])])

    def _table(self, study: Study, table: Table, found: list[Outcome]) -> list[str]:
        unit = table.unit or table.value.meaning
        better = "less" if table.value.less else "more"
        source = f" Published: {escaped(table.source)}." if table.source else ""
        scale = found[0].case.scale
        out = [f"### {escaped(table.caption)}", f"{escaped(unit)}; {better} is better; scale `{scale}`.{source}"]
        head = ("run", "measured", "spread", "published", "", "seeds", "updates", "minutes")
        out.append(markdown_table(head, (self._row(one) for one in found)))
        notes = [*(note for one in found for note in _notes(one)), *_missing(found)]
        out += ["\n".join(f"- {note}" for note in notes)] if notes else []
        out += ["\n".join(_claim(claim, found) for claim in table.claims)] if table.claims else []
        if table.curve:
            drawn = Drawn("curves", table.name, "Validation losses over updates", {"log": table.log})
            out += self._picture(study, drawn, CURVES, found)
        return out

    def _row(self, one: Outcome) -> tuple[str, ...]:
        form, published = one.case.table.value.form, one.case.row.published
        measured = "" if one.mean is None else f"{one.mean:{form}}"
        shown = published if isinstance(published, str) else "" if published is None else f"{published:g}"
        counted = [result for result in one.results if result.counts]
        records = [result.record for result in counted if result.record is not None]
        return (
            one.name,
            measured,
            _spread(one, form),
            shown,
            _mark(one),
            " ".join(self._link(str(result.job.seed), result) for result in counted),
            _range([record.updates for record in records], ",.0f"),
            _range([record.seconds / 60 for record in records], ".1f"),
        )

    def _link(self, words: str, result: Result) -> str:
        return f"[{words}]({link(result.place.folder, self.path.parent)})"

    def _picture(self, study: Study, drawn: Drawn, kind: Picture, found: list[Outcome]) -> list[str]:
        rows = tuple(
            Shown(
                one.name,
                one.case.row.published,
                tuple((r.job.seed, r.place.run, r.reading) for r in one.results if r.record and r.place.run.epochs),
            )
            for one in found
        )
        rows = tuple(row for row in rows if row.runs)
        if not rows or self.undrawn:
            return []
        table, scale = found[0].case.table, found[0].case.scale
        words = [study.name, drawn.table, drawn.kind, *([] if scale == USUAL else [scale])]
        path = self.pictures / f"{'-'.join(words)}.png"
        try:
            if self.draws:
                kind.save(Scene(table.value, table.unit, rows, drawn.options), path)
        except UsageError as error:
            self.undrawn = str(error)
            return []
        return [f"![{escaped(drawn.caption)}: {escaped(table.caption)}]({link(path, self.path.parent)})"]

    # ----------------------------------------------------------------------------------------------------- provenance

    def _runs(self, found: list[Outcome]) -> str:
        """A line for each run: where it is, how it ended, and with what it was measured."""
        lines: dict[str, tuple[str, ...]] = {}
        for one in found:
            for result in (*one.tried, *one.results):
                if result.record is not None and result.job.key not in lines:
                    lines[result.job.key] = self._run(one, result)
        head = ("run", "seed", "rate", one_value(found), "ended", "epochs", "updates", "minutes", "source", "machine")
        return markdown_table(head, lines.values()) if lines else ""

    def _run(self, one: Outcome, result: Result) -> tuple[str, ...]:
        record = result.record
        assert record is not None
        value = "" if result.reading is None else f"{result.reading.value:{one.case.table.value.form}}"
        words = record.state if record.state in ("finished", "limit", "diverged") else f"**{record.state}**"
        beside = "alone" if record.beside == 1 else f"{record.beside} processes"
        cores = f"{record.cores} core{'s' if record.cores > 1 else ''}"
        machine = f"{record.processor}, {cores}, {beside}, backend `{record.backend}`, one thread each"
        if machine not in self.machines:
            self.machines.append(machine)
        return (
            self._link(escaped(f"{one.case.table.name}: {one.name}"), result),
            str(record.seed),
            "" if record.rate is None else f"{record.rate:g}",
            value,
            words,
            f"{record.epochs} of {record.epochs_planned}",
            f"{record.updates:,}",
            f"{record.seconds / 60:.1f}",
            f"{record.source}, {record.date}",
            letter(self.machines.index(machine)),
        )


# ----------------------------------------------------------------------------------------------------------- pieces


def by_table(study: Study, found: Sequence[Outcome]) -> list[list[Outcome]]:
    """The rows of each table, apart for each scale."""
    groups = ([one for one in found if one.case.table is table] for table in study.tables)
    return [
        [one for one in own if one.case.scale == scale]
        for own in groups
        for scale in dict.fromkeys(one.case.scale for one in own)
    ]


def one_value(found: Sequence[Outcome]) -> str:
    """The heading of the values of runs."""
    names = {one.case.table.value.name for one in found}
    return names.pop() if len(names) == 1 else "value"


def letter(number: int) -> str:
    """A, B, ..., Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


def link(path: Path, base: Path) -> str:
    """The target of a link to a path, on a page in the folder `base`."""
    return quote(os.path.relpath(path, base).replace(os.sep, "/"))


def escaped(text: str) -> str:
    """A text as Markdown shows it, in one line; nothing in it is markup but code in back quotes."""
    words = " ".join(visible(text).split())
    for mark in "\\*_[]<>#":
        words = words.replace(mark, f"\\{mark}")
    return words


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _spread(one: Outcome, form: str) -> str:
    if len(one.values) < 2:
        return ""
    if one.deviation is not None and len(one.values) > 2:
        return f"± {one.deviation:.2g}, {min(one.values):{form}} to {max(one.values):{form}}"
    return f"{min(one.values):{form}} to {max(one.values):{form}}"


def _mark(one: Outcome) -> str:
    if one.excess is None:
        return ""
    words = (
        "" if abs(one.excess) > 10 else f" ({100 * abs(one.excess):.1f} % {'worse' if one.excess > 0 else 'better'})"
    )
    return f"**miss**{words}" if one.missed else f"reached{words}"


def _range(values: Sequence[float], form: str) -> str:
    if not values:
        return ""
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low} to {high}"


def _claim(claim: Claim, found: Sequence[Outcome]) -> str:
    """A line that says what becomes of a claim, and why where it does not hold and the study has a reason."""
    verdict, figures = judged(claim, found, found[0].case.table)
    words = f"- **{verdict}**: {escaped(claim.words)} ({escaped(figures)})"
    return f"{words} {escaped(claim.otherwise)}" if verdict == FAILS and claim.otherwise else words


def _notes(one: Outcome) -> list[str]:
    """What the row of a table does not show: the rates tried, and words of values."""
    out = []
    name = escaped(one.name)
    if len(one.case.rates) > 1:
        run = sum(result.record is not None and result.record.done for result in one.tried)
        best = (
            "none has ended"
            if one.rate is None
            else f"{one.rate:g} is the best by validation at seed {one.case.seeds[0]}"
        )
        out.append(f"{name}: of {len(one.case.rates)} rates {run} were tried; {best}")
    words = [f"seed {r.job.seed}: {r.reading.words}" for r in one.results if r.counts and r.reading and r.reading.words]
    out += [f"{name}: {escaped('; '.join(words))}"] if words else []
    return out


def _missing(found: Sequence[Outcome]) -> list[str]:
    """A line for each reason why runs of a table are missing, with these runs."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for one in found:
        for result in one.missing:
            seeds = reasons.setdefault(_why(result, one), {}).setdefault(one.name, [])
            seeds.append(str(result.job.seed))
    out = []
    for why, rows in reasons.items():
        runs = (
            f"{escaped(name)}, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" for name, seeds in rows.items()
        )
        out.append(f"**missing**, {escaped(why)}: {'; '.join(runs)}")
    return out


def _why(result: Result, one: Outcome) -> str:
    record = result.record
    if record is None:
        return "it has not run (the budget was spent before, or the command was stopped)"
    if record.state == "stopped":
        value = one.case.table.value
        then = f"; {value.name} was {result.reading.value:{value.form}} then" if result.reading else ""
        return f"{record.reason}{then}"
    if record.state == "finished" and not record.reason:
        return f"it ended without the value {one.case.table.value.name}"
    return f"{record.state}: {record.reason}" if record.reason else record.state


def _summary(studies: Sequence[tuple[Study, list[Outcome]]]) -> str:
    """A line for each study: how many rows have a value, and how many claims hold."""
    rows = []
    for study, found in studies:
        verdicts = []
        for own in by_table(study, found):
            table = own[0].case.table
            verdicts += [judged(claim, own, table)[0] for claim in table.claims]
        measured, missed = sum(one.mean is not None for one in found), sum(one.missed is True for one in found)
        compared = sum(one.missed is not None for one in found)
        minutes = sum(
            {r.job.key: r.record.seconds / 60 for one in found for r in (*one.tried, *one.results) if r.record}.values()
        )
        undecided = f", {open_} undecided" if (open_ := verdicts.count(OPEN)) else ""
        holds = f"{verdicts.count(HOLDS)} of {len(verdicts)}{undecided}" if verdicts else ""
        rows.append(
            (
                escaped(study.paper),
                f"{measured} of {len(found)}",
                f"{compared - missed} of {compared}" if compared else "",
                holds,
                f"{minutes:.1f}",
            )
        )
    return markdown_table(
        ("paper", "rows measured", "published numbers reached", "claims that hold", "minutes of training"), rows
    )
