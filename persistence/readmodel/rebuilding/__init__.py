"""Rebuilding the read model from journal and snapshots.

rebuild.py deletes and projects again while a projector may run; from_calendars.py
replaces trimmed records by stored calendars.
"""
