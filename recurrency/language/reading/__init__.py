"""From text to a syntax tree, and what to say where the grammar cannot go on."""
