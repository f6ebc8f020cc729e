"""Training: tasks and their data, optimisers, and the loop that joins them to a compiled model."""
