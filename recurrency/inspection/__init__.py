"""Descriptions of a cell: summary, parameter counts, costs, catalogue, probes; and templates for new cells."""
