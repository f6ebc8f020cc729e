"""Where data are found, and the contents of files that may be compressed."""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from recurrency.errors import UsageError

PLACES = ("data", "../shared/data")
"""Folders searched, in this order, if neither --data nor RECURRENCY_DATA is given."""

PACKED: Mapping[str, Callable[[bytes], bytes]] = {"": bytes, ".xz": lzma.decompress, ".gz": gzip.decompress}
"""Extension -> how to decompress."""


def find_data(name: str, given: str | Path | None = None, origin: str = "", alone: bool = True) -> Path:
    """The file `name`, such as `music/JSB_Chorales.npz`, plain or packed (`.xz`, `.gz`).

    Looked for at `given` (the file itself, unless it is not `alone`, or a folder that holds it), else under the folder
    named by the environment variable RECURRENCY_DATA, else under `./data` and `../shared/data`; in each with and
    without the name's own folder. `origin` says where the data can be had.

    Raises:
        UsageError: it is in none of these places, which the message lists.
    """
    settings = os.environ.get("RECURRENCY_DATA")
    roots = [Path(given)] if given else [Path(p) for p in ((settings,) if settings else PLACES)]
    looked = [place for root in roots for place in (root / name, root / Path(name).name)]
    if given and alone:
        looked.insert(0, Path(given))
    for place in looked:
        for end in PACKED:
            if (packed := Path(f"{place}{end}")).is_file():
                return packed
    raise UsageError(
        f"{Path(name).name} is not at {', '.join(map(str, looked))}; "
        "say where it is with --data PATH or the environment variable RECURRENCY_DATA"
        + (f"; the data can be had from {origin}" if origin else "")
    )


def read_bytes(path: str | Path) -> bytes:
    """What is in a file, unpacked.

    Raises:
        UsageError: it cannot be read or unpacked, or is empty.
    """
    path = Path(path)
    try:
        content = PACKED.get(path.suffix, bytes)(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (lzma.LZMAError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot unpack {path}: {error}") from error
    if not content:
        raise UsageError(f"{path} is empty")
    return content


def read_text(path: str | Path) -> str:
    """The text of a file, unpacked, with `\\n` at the ends of its lines.

    Raises:
        UsageError: it cannot be read, is empty, or is not UTF-8 (the message names the line).
    """
    return text_of(read_bytes(path), path)


def text_of(content: bytes, name: str | Path) -> str:
    """The text that these bytes are in UTF-8, with `\\n` at the ends of its lines; `name` is where they are from.

    Raises:
        UsageError: they are not UTF-8 (the message names the line).
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{name}, line {line}: byte {content[error.start]} is not UTF-8; save the text as UTF-8"
        ) from error
    return plain_ends(text)


def plain_ends(text: str) -> str:
    """A text with `\\n` at the ends of its lines, where other systems have `\\r\\n` or `\\r`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text without their ends; other marks of Unicode that part lines are characters like any other."""
    return lines_of(read_text(path))


def lines_of(text: str) -> list[str]:
    """The lines of a text without their ends; none of an empty text."""
    return text.removesuffix("\n").split("\n") if text else []
