"""Rebuilding the read model from journal and snapshots."""
