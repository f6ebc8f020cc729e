"""Streams and captured graphs of the stand-in for cupy. Work runs immediately, unless its stream is being captured."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Work = Callable[[], None]


class Graph:
    """The launches during a capture, which `launch` repeats. It keeps no buffer alive."""

    def __init__(self, work: list[Work]) -> None:
        self._work = work

    def launch(self, stream: Any = None) -> None:
        """Repeat all launches, with the addresses of the capture.

        Raises:
            RuntimeError: a buffer that was in use then no longer exists.
        """
        for piece in self._work:
            piece()


class Streams:
    """The streams of one device, and which of them is the current one of each thread."""

    def __init__(self) -> None:
        self.default = Stream(self, default=True)
        self._local = threading.local()

    def entered(self) -> list[Stream]:
        """The streams of this thread's `with` blocks, the outermost first."""
        found: list[Stream] = self._local.__dict__.setdefault("entered", [])
        return found

    def current(self) -> Stream:
        """The stream of this thread's work."""
        entered = self.entered()
        return entered[-1] if entered else self.default

    def refuse_capture(self, what: str) -> None:
        """Refuse work that cannot be captured.

        Raises:
            NotImplementedError: the current stream is being captured; cupy raises the same.
        """
        if self.current().captured is not None:
            raise NotImplementedError(f"calling {what} during stream capture is currently unsupported")


class Stream:
    """A queue of work, which runs immediately."""

    def __init__(self, streams: Streams, non_blocking: bool = False, default: bool = False) -> None:
        self._streams, self.non_blocking, self._default = streams, non_blocking, default
        self.ptr = 0 if default else id(self)
        self.captured: list[Work] | None = None
        """The launches since `begin_capture`, or None."""

    def __enter__(self) -> Stream:
        self._streams.entered().append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.entered().remove(self)

    def is_capturing(self) -> bool:
        """Whether it is being captured."""
        return self.captured is not None

    def begin_capture(self) -> None:
        """Collect launches from now on, instead of running them.

        Raises:
            RuntimeError: this is the default stream, or it is being captured already.
        """
        if self._default or self.captured is not None:
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted on this stream")
        self.captured = []

    def end_capture(self) -> Graph:
        """The graph of the launches since `begin_capture`.

        Raises:
            RuntimeError: nothing is being captured.
        """
        if self.captured is None:
            raise RuntimeError("cudaErrorIllegalState: this stream is not being captured")
        work, self.captured = self.captured, None
        return Graph(work)

    def synchronize(self) -> None:
        """Wait for the end of all work.

        Raises:
            RuntimeError: the stream is being captured.
        """
        if self.captured is not None:
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")

    def do(self, piece: Work) -> None:
        """Run a piece of work, or collect it."""
        if self.captured is None:
            piece()
        else:
            self.captured.append(piece)
