"""Files, figures, and the cache that processes share."""
