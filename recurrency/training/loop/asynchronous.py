"""Asynchronous data-parallel training: no process waits for the gradients of the others.

The first process holds the parameters and the state of the optimiser. Every process computes the gradient of its share
of a batch and sends it; the update is made as soon as it arrives, and the sender continues with the parameters that
result (Downpour SGD: Dean et al. 2012, section 4.1, with a push and a fetch for each update; Sak et al. 2014, section
3.2). A gradient belongs to parameters that others may have changed since, in an order that depends on the machine: two
runs differ. Processes meet at the end of each epoch.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.optimisers import Optimiser, State, Vector
from recurrency.training.loop.processes import LostError, Processes
from recurrency.training.loop.progress import AskedError, Options
from recurrency.training.loop.sharing import SPREAD, Shared
from recurrency.training.loop.snapshots import Sums
from recurrency.training.loop.updates import AtOnce, Learner, Trainable

GRADIENT, DONE = 0, 1
"""What a message is: a gradient, or the last one of an epoch."""
HEAD = 3
"""The numbers before the gradient in a message: what it is, the rate, and whether its process got Ctrl-C."""


def learning(model: Trainable, options: Options) -> tuple[AtOnce, Learner]:
    """How the updates of a model are made, and what computes its gradients.

    Raises:
        UsageError: an option needs the gradient of the whole batch.
    """
    if not (isinstance(model, Shared) and model.asynchronous):
        return AtOnce(), Learner(model, options)
    if options.halve_above is not None:
        raise UsageError("--halve-above needs the gradient of the whole batch; leave it or --parallel asynchronous out")
    seed = (options.seed + model.processes.rank * SPREAD) % (1 << 32)
    return Asynchronous(model.processes, model.loss_kinds), Learner(model.model, replace(options, seed=seed))


class Asynchronous(AtOnce):
    """Updates of one of several processes, made by the first of them in the order in which they arrive."""

    resumable = False

    def __init__(self, processes: Processes, kinds: tuple[str, ...]) -> None:
        self.processes, self.kinds = processes, kinds
        self.lock = threading.Lock()
        self.stop = False
        """Whether any process got Ctrl-C."""
        self.failure: Exception | None = None

    def own(self, stream: Iterable[Batch]) -> Iterator[Batch]:
        """Our share of each batch: every k-th of its sequences."""
        mine = slice(self.processes.rank, None, self.processes.size)
        return (own for batch in stream if (own := batch.part(mine)).size)

    @contextlib.contextmanager
    def epoch(self, optimiser: Optimiser, params: Vector, state: State, step: int) -> Iterator[None]:
        """Updates within this context are made on the parameters of the first process; after it all have them.

        Arguments:
            step: the number of updates before.

        Raises:
            LostError: another process has ended. AskedError: any of them got Ctrl-C.
        """
        self.stop, self.optimiser, self.state, self.step = False, optimiser, state, step
        self.central = params.copy()
        others = range(1, self.processes.size) if self.processes.first else ()
        servers = [threading.Thread(target=self._serve, args=(rank,), daemon=True) for rank in others]
        for server in servers:
            server.start()
        with contextlib.suppress(AskedError):  # `_meet` raises it in all processes
            yield
        self._meet(servers, params)

    def apply(self, optimiser: Optimiser, params: Vector, grad: Vector, state: State, step: int) -> None:
        """Send a gradient, and continue with the parameters after its update, which replace `params`.

        Raises:
            LostError: another process has ended. AskedError: any of them got Ctrl-C.
        """
        if self.processes.first:
            self._check()
            with self.lock:
                self._update(grad, optimiser.rate)
                params[...] = self.central
            self.stop |= self.processes.interrupted
        else:
            head = [GRADIENT, optimiser.rate, self.processes.interrupted]
            self.processes.send(np.concatenate([np.array(head, params.dtype), grad]), 0)
            answer = np.empty(1 + len(params), params.dtype)
            self.processes.receive(answer, 0)
            self.stop, params[...] = bool(answer[0]), answer[1:]
        if self.stop:
            raise AskedError

    def interrupt(self) -> bool:
        """Ask all processes to stop; they do so at their next update."""
        self.processes.interrupted = True
        return False

    def total(self, sums: Sums) -> Sums:
        """The sums of an epoch over all processes."""
        table = [[sums.weighed.get(kind, 0.0), sums.weights.get(kind, 0.0)] for kind in self.kinds]
        figures = np.array([*np.ravel(table), sums.steps, sums.sequences, sums.lengths])
        self.processes.sum(figures)
        *_, steps, sequences, lengths = figures.tolist()
        weighed, weights = (dict(zip(self.kinds, figures[i:-3:2].tolist(), strict=True)) for i in (0, 1))
        counted = {"steps": int(steps), "sequences": int(sequences), "lengths": lengths}
        return replace(sums, weighed=weighed, weights=weights, **counted)

    # ------------------------------------------------------------------------------------------- the first process

    def _update(self, grad: Vector, rate: float) -> None:
        self.step += 1
        replace(self.optimiser, rate=rate).update(self.central, grad, self.state, self.step)

    def _serve(self, rank: int) -> None:
        """Answer the gradients of one of the others with parameters until it is done."""
        message = np.empty(HEAD + len(self.central), self.central.dtype)
        try:
            while True:
                self.processes.receive(message, rank)
                if message[0] == DONE:
                    return
                self.stop |= bool(message[2])
                with self.lock:
                    self._update(message[HEAD:], float(message[1]))
                    answer = np.concatenate([[self.central.dtype.type(self.stop)], self.central])
                self.processes.send(answer, rank)
        except Exception as error:  # raised where the main thread comes by
            self.failure = error

    def _check(self) -> None:
        if self.failure is not None:
            raise LostError(str(self.failure)) from self.failure

    def _meet(self, servers: Iterable[threading.Thread], params: Vector) -> None:
        """Wait for the others, and take over the parameters of the first process."""
        if self.processes.first:
            for server in servers:
                server.join()
            self._check()
            params[...] = self.central
        else:
            message = np.zeros(HEAD + len(params), params.dtype)
            message[0] = DONE
            self.processes.send(message, 0)
            params[...] = 0
        stop = np.array([float(self.stop or self.processes.interrupted)])
        self.processes.sum(params, stop)
        if stop[0]:
            raise AskedError
