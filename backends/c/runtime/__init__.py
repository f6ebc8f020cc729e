"""How generated C is compiled, tried, cached and called."""
