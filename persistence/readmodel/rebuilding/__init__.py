"""rebuilding."""
