"""Specs, compiled models, and what a call of one takes and gives."""
