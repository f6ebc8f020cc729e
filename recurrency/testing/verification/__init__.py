"""The command `recurrency verify`: cases, comparison, blame and report."""
