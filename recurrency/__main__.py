"""`python -m recurrency`: the command line, also for `torchrun -m recurrency`."""

from __future__ import annotations

from recurrency.cli import main

if __name__ == "__main__":
    main()
