"""Promises about `use`: what it finds, what it shares, and that it stays inside its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import recurrency as rc
from recurrency.errors import SpecError
from tests.support.elaborating import cell

DOUBLE = cell("y = 2 * x", header="Double[N](x: [N]) -> (y: [N])")


def written(folder: Path, **texts: str) -> Path:
    """Files of these texts; the path of the first (`a__b` stands for `a/b.rnn`)."""
    paths = []
    for name, text in texts.items():
        path = folder / (name.replace("__", "/") + ".rnn")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths[0]


def told(path: Path) -> list[tuple[int, str]]:
    """Number and title of what is wrong with a file."""
    try:
        rc.load(path).check()
    except SpecError as error:
        return [(d.number, d.title) for d in error.diagnostics]
    return []


def using(line: str, name: str = "Double") -> str:
    return f"{line}\n" + cell(f"y = {name}(x)", header="Top[N](x: [N]) -> (y: [N])")


@pytest.mark.parametrize("line", ['use "double.rnn"', 'use Double from "double.rnn"', 'use "./double.rnn"'])
def test_cells_of_a_file_beside_this_one_are_found(tmp_path: Path, line: str) -> None:
    assert told(written(tmp_path, top=using(line), double=DOUBLE)) == []


def test_a_path_starts_at_the_file_that_names_it(tmp_path: Path) -> None:
    middle = 'use "deep/double.rnn"\n' + cell("y = Double(x)", header="Middle[N](x: [N]) -> (y: [N])")
    top = using('use "parts/middle.rnn"', "Middle")
    assert told(written(tmp_path, top=top, parts__middle=middle, parts__deep__double=DOUBLE)) == []


def test_only_the_own_cells_of_a_file_are_found_and_no_functions(tmp_path: Path) -> None:
    middle = 'fn f(x) = x\nuse "double.rnn"\n' + cell("y = f(x)", header="Middle[N](x: [N]) -> (y: [N])")
    path = written(tmp_path, top=using('use "middle.rnn"'), middle=middle, double=DOUBLE)
    assert [n for n, _ in told(path)] == [20]
    path = written(tmp_path, top=using('use "middle.rnn"', "f"), middle=middle)
    assert [n for n, _ in told(path)] == [20]


@pytest.mark.parametrize("line", ["use library", "use Linear from library", "use LSTM, Linear from library"])
def test_the_library_is_found_whole_or_by_name(line: str) -> None:
    rc.parse(using(line, "Linear[N]")).check()


def test_a_name_that_comes_from_two_places_is_refused(tmp_path: Path) -> None:
    top = using('use "one.rnn"\nuse "two.rnn"')
    assert [n for n, _ in told(written(tmp_path, top=top, one=DOUBLE, two=DOUBLE))] == [25]
    top = using('use "one.rnn"') + DOUBLE
    assert [n for n, _ in told(written(tmp_path, top=top, one=DOUBLE))] == [25]
    top = using('use "one.rnn"\nuse Double from "one.rnn"')
    assert told(written(tmp_path, top=top, one=DOUBLE)) == []


def test_files_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, top=using('use "a.rnn"'), a='use "b.rnn"\n' + DOUBLE, b='use "a.rnn"\n' + DOUBLE)
    assert (37, "files use one another in a circle: a.rnn -> b.rnn -> a.rnn") in told(path)
    assert [n for n, _ in told(written(tmp_path, top=using('use "top.rnn"')))] == [37]


def test_a_long_chain_of_files_is_refused(tmp_path: Path) -> None:
    for i in range(60):
        written(tmp_path, **{f"f{i}": f'use "f{i + 1}.rnn"\n' + DOUBLE})
    assert 39 in [n for n, _ in told(written(tmp_path, top=using('use "f0.rnn"')))]


@pytest.mark.parametrize(
    "target", ["../double.rnn", "/etc/passwd", "a/../../double.rnn", "link.rnn", "folder/double.rnn"]
)
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, target: str) -> None:
    inside = tmp_path / "inside"
    path = written(inside, top=using(f'use "{target}"'))
    written(tmp_path, double=DOUBLE)
    (inside / "link.rnn").symlink_to(tmp_path / "double.rnn")
    (inside / "folder").symlink_to(tmp_path)
    assert [n for n, _ in told(path)] == [38]


def test_a_used_file_cannot_leave_its_own_folder(tmp_path: Path) -> None:
    path = written(tmp_path, top=using('use "sub/a.rnn"', "A"), sub__a='use "../double.rnn"\n' + DOUBLE, double=DOUBLE)
    assert told(path)[0][0] == 38


@pytest.mark.parametrize("target", ["nothing.rnn", "a\0b.rnn", "n" * 900, "loop.rnn", ".", "sub"])
def test_files_that_do_not_exist_are_told(tmp_path: Path, target: str) -> None:
    path = written(tmp_path, top=using(f'use "{target}"'))
    (tmp_path / "loop.rnn").symlink_to(tmp_path / "loop.rnn")
    (tmp_path / "sub").mkdir()
    assert [n for n, _ in told(path)] == [36]


def test_a_text_without_a_file_uses_the_library_only() -> None:
    with pytest.raises(SpecError, match="without a file"):
        rc.parse(using('use "double.rnn"')).check()


def test_mistakes_in_a_used_file_are_told_with_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, top=using('use "double.rnn"'), double=DOUBLE.replace("2 * x", "2 * z"))
    with pytest.raises(SpecError, match=r"double.rnn:2:13"):
        rc.load(path).check()
    path = written(tmp_path, top=using('use "double.rnn"'), double=DOUBLE.replace("2 *", "2 * *"))
    with pytest.raises(SpecError, match=r"double.rnn:2"):
        rc.load(path).check()
