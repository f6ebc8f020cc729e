"""Several processes, and how they are started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from recurrency.training.loop.processes import NEEDED

ROOT = Path(__file__).resolve().parents[2]

EXAMPLE = ROOT / "docs" / "examples" / "replace_lstm.py"

PATIENCE = 120
"""Seconds after which a run counts as hanging."""

RAGGED = """
cell Ragged[N, H](x: [N]) -> (y: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state y : [H] = 0

    y = tanh(W @ x + U @ y[t-1])

    loss dot(y, y) - sum(x)
    loss sum(last(y))
    loss 0.1 * l2(W)
}
"""

CLOSE = 1e-13
"""For sums of a few dozen numbers of about 1 in float64, in another order, over a few steps."""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NEEDED}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


def torchrun(*words: str, folder: Path) -> str:
    """What a run of two processes says on standard output."""
    runner = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*runner, *words], cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def both(*words: str, folder: Path) -> list[tuple[int, str, str]]:
    """Two processes as `torchrun` starts them, but without what it does when one fails: exit codes, what they say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **where),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=PATIENCE) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *words) for process, words in zip(started, said, strict=True)]
