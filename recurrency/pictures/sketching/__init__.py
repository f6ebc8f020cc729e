"""Which parts of a cell a diagram shows, and what feeds what."""
