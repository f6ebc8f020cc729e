"""The stream graph: operations, types and nodes, how they are printed and verified, and the interpreter."""
