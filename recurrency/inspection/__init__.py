"""Facts about a cell: summary, parameter counts, catalogue, probes, and a template for a new one."""
