"""Notices with real parts that are killed: a whole site, its workers, receivers."""
