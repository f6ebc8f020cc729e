"""Parallel processes, none of which outlives its parent.

Each has a pipe to its parent, which sends the request to stop and breaks when the parent ends.
"""

from __future__ import annotations

import os
import signal
import threading
from _thread import interrupt_main
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

T = TypeVar("T")
STOP = "stop"


@dataclass
class Gathered(Generic[T]):
    """The results of the processes.

    `died` are the exit codes of those that ended without a result, negative where it was by a signal.
    """

    results: list[T] = field(default_factory=list)
    interrupted: bool = False
    died: list[int] = field(default_factory=list)


def together(work: Callable[..., T], each: Sequence[tuple[Any, ...]]) -> Gathered[T]:
    """Call a function in a separate process for each tuple of arguments.

    Ctrl-C is a `KeyboardInterrupt` in each of these calls, which may still return what it has. At a second one, and at
    any other end of this process, they end at once.
    """
    out, running = Gathered[T](), dict[Connection, "SpawnProcess"]()
    try:
        _start(running, work, each)
        _gather(running, out)
    except KeyboardInterrupt:
        out.interrupted = True
        for leash in running:
            with suppress(OSError):  # it has just died
                leash.send(STOP)
        _gather(running, out)
    finally:
        for leash, process in running.items():
            leash.close()
            process.join()
    return out


def _start(running: dict[Connection, SpawnProcess], work: Callable[..., T], each: Sequence[tuple[Any, ...]]) -> None:
    """Start all processes, with signals blocked."""
    context = get_context("spawn")
    if os.name == "posix":
        resource_tracker.ensure_running()  # a process of the system's, at whose start all signals are heard again
    with _unheard():
        for arguments in each:
            ours, theirs = context.Pipe()
            process = context.Process(target=_child, args=(theirs, work, arguments), daemon=True)
            process.start()
            theirs.close()
            running[ours] = process


def _gather(running: dict[Connection, SpawnProcess], out: Gathered[T]) -> None:
    """Wait for all results; Ctrl-C is handled only while waiting, so that no result is lost."""
    while running:
        for leash in wait(list(running)):
            assert isinstance(leash, Connection)
            with _unheard():
                _take(leash, running.pop(leash), out)


def _take(leash: Connection, process: SpawnProcess, out: Gathered[T]) -> None:
    """The result of a process that ends."""
    try:
        found = leash.recv()
    except (EOFError, OSError):
        found = None
    process.join()
    leash.close()
    if found is not None:
        out.results.append(found)
    elif not out.interrupted:
        out.died.append(process.exitcode or 0)


@contextmanager
def interrupted_by(handler: Callable[..., None]) -> Iterator[None]:
    """Call this function instead of raising `KeyboardInterrupt`, at Ctrl-C or when the parent requests a stop."""
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is signal.default_int_handler]
    for number in numbers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def _unheard() -> Iterator[None]:
    """Processes started in this context ignore Ctrl-C, which a terminal sends to all; the parent stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---------------------------------------------------------------------------------------------------- in the process


def _child(leash: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Call the function and send its result, or None if it was stopped before."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_listen, args=(leash,), daemon=True).start()
    try:
        found = work(*arguments)
    except KeyboardInterrupt:
        found = None
    leash.send(found)


def _listen(leash: Connection) -> None:
    """Stop the work on request of the parent; exit if the parent is gone."""
    try:
        while leash.recv() == STOP:
            _interrupt()
    except (EOFError, OSError):
        os._exit(1)


def _interrupt() -> None:
    """Interrupt the main thread, and the system call that it waits for, where possible."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        interrupt_main(signal.SIGTERM)
