"""Specs, compiled models, and the arguments and results of a call."""
