"""Verification: journal, snapshots, SQL and memory must agree."""
