"""Files, figures, and what is kept in the cache between processes."""
