"""Random programs on all backends: search, check, reduce."""
