"""The records' revisions: each keeps the data, and can be repeated."""
