"""Training runs: experiments, run folders, metrics, and the command `recurrency train`."""
