"""`recurrency cache`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli.common import echo

if TYPE_CHECKING:
    from recurrency.disk.cache import Store

MEGA = 1 << 20

EPILOG = """\b
Examples:
  recurrency cache
  recurrency cache --clear
  recurrency cache --json

\b
Variables:
  RECURRENCY_CACHE         the folder, instead of ~/.cache/recurrency (or recurrency in XDG_CACHE_HOME)
  RECURRENCY_CACHE_SIZE    the maximal size of each part in megabytes, instead of 512; the least recently used files go
  RECURRENCY_CC            the compiler of the backend c, with its arguments, instead of CC, cc, gcc or clang
  RECURRENCY_CFLAGS        more options for it
  RECURRENCY_OPTIMISE      quick: it compiles three times as fast, code that is slower; by default full
  RECURRENCY_VECTOR_BYTES  16, 32, 64 or portable: the width of vectors, instead of the processor's
  RECURRENCY_RECORDS       0: do not cache graphs and sources of specs between processes
  RECURRENCY_TRUST         0: use compiled code without testing it first
"""


@click.command("cache", epilog=EPILOG)
@click.option("--clear", is_flag=True, help="Delete all files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cache(clear: bool, as_json: bool) -> None:
    """List the cache: how many files, how large, where, and which compiler makes them.

    It has libraries of the backend c (native), compiled kernels of the emulated backend, and graphs and sources of
    specs (records), with which a model of the backend c starts at once. Deleting it loses nothing: files are made
    again when they are needed.
    """
    from recurrency import backend
    from recurrency.disk import records  # noqa: F401 - known with its store
    from recurrency.disk.cache import STORES

    backend.load()  # what a backend keeps is known when it is loaded
    stores = [STORES[name] for name in sorted(STORES, reverse=True)]
    removed = {store.name: store.clear() for store in stores} if clear else {}
    if as_json:
        echo(json.dumps([_data(store) for store in stores], indent=2, ensure_ascii=False))
    elif clear:
        for name, files in removed.items():
            echo(f"{name}: removed {len(files)} files, {_amount(sum(file.size for file in files))}")
    else:
        _show([_data(store) for store in stores])


def _data(store: Store) -> dict[str, Any]:
    """One part of the cache, as JSON has it."""
    from recurrency.disk.cache import files, most_bytes
    from recurrency.errors import UsageError

    found = files(store.place)
    out: dict[str, Any] = {"name": store.name, "folder": str(store.place), "refused": None, "obstacle": None}
    out["files"] = sum(file.path.suffix in (".so", ".record") for file in found)
    out |= {"bytes": sum(file.size for file in found), "most_bytes": most_bytes()}
    try:
        store.folder()
    except UsageError as error:
        out["refused"] = str(error)
    try:
        return {**out, **store.about()}
    except UsageError as error:
        return {**out, "obstacle": str(error)}


def _show(found: Sequence[dict[str, Any]]) -> None:
    """Print the parts as a table."""
    from recurrency.cli.common import echo, show, table

    out = table("Part", ">Files", ">Size", ">At most", "Folder")
    for one in found:
        sizes = (_amount(one[key]) for key in ("bytes", "most_bytes"))
        out.add_row(one["name"], str(one["files"]), *sizes, one["folder"])
    show(out, "")
    for one in found:
        if one["refused"]:
            echo(f"{one['name']} is not used: {one['refused']}")
        if one["obstacle"]:
            echo(f"{one['name']}: nothing can be compiled: {one['obstacle']}")
        elif "compiler" in one:
            echo(f"{one['name']}: by {one['compiler']}, {one['version']}\n  {one['flags']}")


def _amount(size: int) -> str:
    return f"{size / MEGA:,.1f} MB" if size >= MEGA else f"{size / 1024:,.0f} kB"
