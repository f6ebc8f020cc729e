"""The training loop: optimisers, schedules, snapshots and data-parallel processes."""
