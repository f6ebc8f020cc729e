"""Tests of cells and of backends, for their authors."""
