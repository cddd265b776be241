"""The records' revisions: each keeps the data, and may be run again."""
