"""Stored calendars: in files, in Redis, in memory.

Each module implements ``actors.ports.SnapshotStore``: files.py for one machine,
redis.py for a cluster, memory.py for tests.
"""
