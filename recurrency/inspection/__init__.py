"""What a cell is, measured and counted: summaries, the catalogue, reports and probes."""
