"""Reading TOML files of bounded size."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError

MOST_BYTES = 200_000
"""The largest file that is read."""


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UsageError: it can't be read, is larger than `MOST_BYTES`, or is no TOML file.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES:,} bytes, which no experiment and no study is")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML file: {error}") from error
