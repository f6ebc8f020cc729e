"""Random specs: a strategy of Hypothesis that writes valid programs of the language."""
