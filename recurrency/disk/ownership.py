"""Whether anybody else could change what lies in a folder, and files that were read as they were checked.

What is kept in the cache is loaded and run, so nobody but its user (and the administrator) may be able to put anything
there: neither into the folder, nor in its place, by renaming a folder above it or by turning a link.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

DIGEST = hashlib.sha256().digest_size
"""Bytes of the seal at the end of a file."""
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
MOST_LINKS = 40


def stranger(place: Path) -> str | None:
    """Who else could change what lies at an absolute path, as the end of a sentence about it; None: nobody.

    All folders on the way are looked at, those that links lead through included. In a folder that all can write but
    that is sticky, as /tmp, nobody can rename what belongs to others.

    Raises:
        OSError: something on the way is not there, or can't be looked at.
    """
    for path in _way(place):
        about = path.lstat()
        last = path == place
        if about.st_uid != os.geteuid() and (last or about.st_uid != 0):
            return "belongs to another user" if last else f"lies in {path}, which belongs to another user"
        if stat.S_ISLNK(about.st_mode) or not about.st_mode & WRITABLE:
            continue
        if (about.st_mode & stat.S_ISVTX and not last) or _private(about):
            continue
        how = f"can be written by others (chmod 700 {path} mends that)"
        return how if last else f"lies in {path}, which {how}"
    return None


def _way(place: Path) -> Iterator[Path]:
    """The folders and links that lead to a path, from the root on, and the path itself."""
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
    """Whether a folder that its group can write is that of a user whose group has nobody else, as many systems do."""
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
    """The bytes of a file of at most `most` bytes that this user wrote: what is checked is what is read.

    Raises:
        OSError: it is not there, no plain file, another user's, one that others can write, or too large.
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
    """The bytes of a file with this name: at their end a digest of both, so that no other can take its place."""
    return data + _digest(name, data)


def unsealed(name: str, data: bytes) -> bytes:
    """What was sealed under this name.

    Raises:
        OSError: the bytes are damaged, or those of a file with another name.
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
