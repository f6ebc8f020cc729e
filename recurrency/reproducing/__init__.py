"""Studies: the experiments of a paper, run as a whole, and a report beside the published numbers."""
