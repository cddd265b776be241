"""Slotcast's live topics from Python: docs/client.md shows how."""
