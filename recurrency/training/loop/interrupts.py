"""Ctrl-C and SIGTERM as a request to stop, which is checked between two updates."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """In this context, the first signal is a request to stop (`now`), and the second one interrupts at once.

    Signals that somebody else handles are left to them, and nothing happens outside of the main thread.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def now(self) -> bool:
        """Whether a stop was requested."""
        return self.asked

    def __enter__(self) -> Interrupts:
        ours = (signal.default_int_handler, signal.SIG_DFL)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) in ours:
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
