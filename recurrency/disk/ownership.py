"""Checks that only the user can change a folder or file, and seals that detect damaged files.

Code in the cache is loaded and run. So nobody but its user (and the administrator) may be able to put anything there:
neither into the folder, nor in its place, by renaming a folder above it or by changing a link.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

DIGEST = hashlib.sha256().digest_size
"""The size of the seal at the end of a file."""
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
MOST_LINKS = 40


def stranger(place: Path) -> str | None:
    """Who else could change what is at an absolute path, as the end of a sentence about it; None: nobody.

    All folders on the way are checked, also those that links lead through. In a sticky folder that everybody can
    write, such as /tmp, nobody can rename the files of others.

    Raises:
        OSError: a folder on the way does not exist, or can't be read.
    """
    for path in _way(place):
        about = path.lstat()
        last = path == place
        if about.st_uid != os.geteuid() and (last or about.st_uid != 0):
            return "belongs to another user" if last else f"is in {path}, which belongs to another user"
        if stat.S_ISLNK(about.st_mode) or not about.st_mode & WRITABLE:
            continue
        if (about.st_mode & stat.S_ISVTX and not last) or _private(about):
            continue
        how = f"can be written by others (chmod 700 {path} mends that)"
        return how if last else f"is in {path}, which {how}"
    return None


def _way(place: Path) -> Iterator[Path]:
    """The folders and links that lead to a path, from the root, and the path itself."""
    todo, at, links = list(reversed(place.parts[1:])), Path(place.anchor), 0
    yield at
    while todo:
        part = todo.pop()
        at = at.parent if part == ".." else at / part
        yield at
        if at.is_symlink():
            links += 1
            if links > MOST_LINKS:
                raise OSError(f"too many links on the way to {place}")
            target = at.readlink()
            todo += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            at = Path(target.anchor) if target.is_absolute() else at.parent


def _private(about: os.stat_result) -> bool:
    """Whether only this user is in the group that can write a folder: many systems give each user such a group."""
    import grp
    import pwd

    if about.st_mode & stat.S_IWOTH:
        return False
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(about.st_gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and user.pw_gid == group.gr_gid and not set(group.gr_mem) - {user.pw_name}


def read_own(path: Path, most: int) -> bytes:
    """Read a file of this user. The open file is checked, so it can't be exchanged between check and reading.

    Raises:
        OSError: it does not exist, is no regular file, belongs to another user, can be written by others, or is larger
            than `most` bytes.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            raise OSError(f"{path} is no file of this user")
        if about.st_mode & stat.S_IWOTH or about.st_size > most:
            raise OSError(f"{path} can be written by others, or is too large")
        return file.read(most)


def sealed(name: str, data: bytes) -> bytes:
    """The data with a digest of name and data appended, so that no other file can take its place."""
    return data + _digest(name, data)


def unsealed(name: str, data: bytes) -> bytes:
    """The data that was sealed under this name.

    Raises:
        OSError: the data is damaged, or belongs to another name.
    """
    content = data[:-DIGEST]
    if len(data) < DIGEST or _digest(name, content) != data[-DIGEST:]:
        raise OSError(f"{name} is damaged, or is another file")
    return content


def _digest(name: str, data: bytes) -> bytes:
    found = hashlib.sha256(name.encode())
    found.update(b"\0")
    found.update(data)
    return found.digest()
