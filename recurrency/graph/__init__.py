"""The stream graph: operations, types, nodes, and the ways to print and verify them."""
