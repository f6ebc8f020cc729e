"""Who else could change what is kept, files that are read as they were checked, and plain data that runs no code."""

from __future__ import annotations

import ast
import json
import os
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrency.disk import ownership, typed_json
from recurrency.disk.cache import Store
from recurrency.disk.libraries import Library, kept, opened
from recurrency.errors import UsageError
from tests.test_layers import modules

OTHER = 12345
"""A user who is somebody else."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of this user, three below another."""
    found = tmp_path / "a" / "b" / "c"
    found.mkdir(parents=True, mode=0o700)
    for folder in (found.parent, found.parent.parent):
        folder.chmod(0o755)
    return found


def about(uid: int, gid: int, mode: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a path look as if it belonged to somebody else."""

    def change(path: Path) -> None:
        real = Path.lstat

        def lstat(self: Path) -> os.stat_result:
            found = real(self)
            return about(OTHER, OTHER, found.st_mode) if self == path else found

        monkeypatch.setattr(Path, "lstat", lstat)

    return change


def test_a_folder_of_ones_own_is_safe(place: Path) -> None:
    assert ownership.stranger(place) is None


@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_no_folder_on_the_way_can_be_written_by_others(place: Path, above: int, mode: int) -> None:
    """Whoever can write a folder can rename what lies in it, and put something else there."""
    (place, *place.parents)[above].chmod(mode)
    assert "can be written by others" in str(ownership.stranger(place))


def test_a_store_says_whose_folder_is_to_be_closed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_CACHE", str(place))
    assert Store("c", dict).folder() == place / "c"
    place.parent.chmod(0o777)
    with pytest.raises(UsageError, match=f"c/c is in {place.parent}, which can be written by others .chmod 700"):
        Store("c", dict).folder()


def test_a_sticky_folder_above_is_safe_and_a_sticky_one_is_not(place: Path) -> None:
    place.parent.chmod(0o1777)
    assert ownership.stranger(place) is None
    place.chmod(0o1777)
    assert "can be written by others" in str(ownership.stranger(place))


@pytest.mark.parametrize("above", [0, 1, 2])
def test_no_folder_on_the_way_belongs_to_somebody_else(
    place: Path, above: int, foreign: Callable[[Path], None]
) -> None:
    foreign((place, *place.parents)[above])
    assert "belongs to another user" in str(ownership.stranger(place))


def test_links_are_followed_through_the_folders_in_which_they_lie(place: Path, tmp_path: Path) -> None:
    """Whoever can write the folder of a link can turn it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "hop").symlink_to(place)
    (tmp_path / "link").symlink_to("shared/hop")
    assert ownership.stranger(tmp_path / "link" / ".." / "c") is None
    shared.chmod(0o777)
    assert "can be written by others" in str(ownership.stranger(tmp_path / "link"))
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="too many links"):
        ownership.stranger(tmp_path / "round" / "x")


def test_a_group_that_is_the_users_alone_may_write(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    user = namedtuple("user", "pw_name pw_gid")("jo", place.stat().st_gid)
    members: list[str] = []
    group = namedtuple("group", "gr_name gr_gid gr_mem")("jo", place.stat().st_gid, members)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)
    place.parent.chmod(0o775)
    assert ownership.stranger(place) is None
    members.append("ann")
    assert "can be written by others" in str(ownership.stranger(place))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "large", "open", "absent"])
def test_only_plain_files_of_this_user_are_read(kind: str, tmp_path: Path) -> None:
    path, real = tmp_path / "x", tmp_path / "real"
    real.write_bytes(b"abc")
    if kind == "link":
        path.symlink_to(real)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "absent":
        path.write_bytes(b"abc" if kind == "open" else b"abcd")
        path.chmod(0o666 if kind == "open" else 0o600)
    with pytest.raises(OSError):  # noqa: PT011 - each has a message of the system's
        ownership.read_own(path, 3)
    assert ownership.read_own(real, 3) == b"abc"


def test_a_seal_holds_for_one_name_and_one_content() -> None:
    data = ownership.sealed("a.so", b"code")
    assert ownership.unsealed("a.so", data) == b"code"
    for name, other in (("b.so", data), ("a.so", data[1:]), ("a.so", data[:-1]), ("a.so", b"x" + data), ("a.so", b"")):
        with pytest.raises(OSError, match="is damaged, or is another file"):
            ownership.unsealed(name, other)


def test_a_library_is_refused_under_the_name_of_another(tmp_path: Path) -> None:
    """Else whoever can rename files would choose what runs."""
    with pytest.raises(UsageError, match="can't be loaded"):
        kept(tmp_path / "a.so", b"no library", Library)
    path = tmp_path / "b.so"
    path.write_bytes(ownership.sealed("a.so", b"anything"))
    with pytest.raises(OSError, match="is another file"):
        opened(path, Library)


# ----------------------------------------------------------------------------------------------------------- plain data


class Colour(Enum):
    RED = 1


class Pair(NamedTuple):
    left: int
    right: str | None


@dataclass(frozen=True)
class Thing:
    name: str
    sizes: tuple[int | str, ...]
    table: Mapping[str, float]
    names: frozenset[str]
    colour: Colour
    pairs: tuple[Pair, ...] = ()


things = st.builds(
    Thing,
    st.text(),
    st.lists(st.integers() | st.text()).map(tuple),
    st.dictionaries(st.text(), st.floats(allow_nan=False)),
    st.frozensets(st.text()),
    st.just(Colour.RED),
    st.lists(st.builds(Pair, st.integers(), st.none() | st.text())).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(things)
def test_plain_data_come_back(thing: Thing) -> None:
    found = typed_json.loads(Thing, typed_json.dumps(thing))
    assert found == thing
    assert list(map(type, found.sizes)) == list(map(type, thing.sizes))


@given(anything)
def test_tables_of_anything_come_back(value: Any) -> None:
    found = typed_json.loads(Any, typed_json.dumps(value))
    assert found == value
    assert type(found) is type(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["fields", "table", "tuple", "name", "x"]), inner),
)


@given(JSON)
def test_what_is_no_such_thing_is_refused(value: Any) -> None:
    try:
        found = typed_json.loads(Thing, json.dumps(value))
    except typed_json.MisfitError:
        return
    assert isinstance(found, Thing)


UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def test_nothing_is_unpickled() -> None:
    """Records, runs, weights and data come from outside: what could run code of theirs is imported nowhere."""
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not {one.split(".")[0] for one in names} & UNSAFE, name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                unsafe = {k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is True}
                assert "allow_pickle" not in unsafe, name
                if node.func.attr == "load" and ast.unparse(node.func.value) == "torch":
                    assert any(k.arg == "weights_only" for k in node.keywords), name
