"""A syntax tree as text again: the canonical layout and LaTeX."""
