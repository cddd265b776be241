"""One revision, one change."""
