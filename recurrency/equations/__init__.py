"""Equations in a normal form: polynomials, matching and printing, for conversion and comparison."""
