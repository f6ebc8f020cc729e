"""From a syntax tree back to text: the canonical layout, and LaTeX."""
