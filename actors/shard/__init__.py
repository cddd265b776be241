"""The single writer of many calendars, as a step machine that never waits.

Begin with shard.py: decide, journal, apply, publish. residents.py keeps calendars in
memory, moving.py hands them over, feed_ring.py keeps what was published.
"""
