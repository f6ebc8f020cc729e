"""From text to a syntax tree, with a message for each place where the grammar stops."""
