"""What is asked for by name: a study, one of its tables, or one run of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recurrency.errors import UsageError, nearest_hint
from recurrency.reproducing.plan import Case
from recurrency.reproducing.studies import Study, find


@dataclass(frozen=True)
class Choice:
    """A study, or some of its rows: those of `table`, or of these only `run`."""

    study: Study
    table: str | None = None
    run: str | None = None

    def shows(self, case: Case) -> bool:
        """Whether the report has the row."""
        return case.study.name == self.study.name and self.table in (None, case.table.name)

    def runs(self, case: Case) -> bool:
        """Whether the jobs of the row are run."""
        return self.shows(case) and self.run in (None, case.row.name)


def choices(names: Iterable[str]) -> list[Choice]:
    """The choices of these names: `STUDY`, `STUDY/TABLE` or `STUDY/TABLE/RUN`; a study is shipped, or a file `.toml`.

    Raises:
        UsageError: there is no such study, table or run (with the nearest name), or a file is malformed.
    """
    loaded: dict[str, Study] = {}
    out = []
    for name in dict.fromkeys(names):
        parts = re.fullmatch(r"(.*?\.toml|[^/]*)(?:/([^/]+)(?:/(.+))?)?", name)
        if parts is None:
            raise UsageError(f"{name!r} is no name of a study: STUDY, STUDY/TABLE or STUDY/TABLE/RUN")
        file, table, run = parts.groups()
        if file not in loaded:
            loaded[file] = find(file)
        out.append(_checked(loaded[file], table, run))
    return out


def _checked(study: Study, table: str | None, run: str | None) -> Choice:
    tables = {one.name: one for one in study.tables}
    if table is None:
        return Choice(study)
    if table not in tables:
        raise UsageError(
            f"{study.name} has no table {table}; there are {', '.join(tables)}{nearest_hint(table, tables)}"
        )
    runs = [row.name for row in tables[table].rows]
    if run is not None and run not in runs:
        hint = nearest_hint(run, runs)
        raise UsageError(f"table {table} of {study.name} has no run {run}; there are {', '.join(runs)}{hint}")
    return Choice(study, table, run)
