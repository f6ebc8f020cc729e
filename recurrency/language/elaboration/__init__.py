"""From a syntax tree to a stream graph: names, dimensions, uses of cells, and every equation's value."""
