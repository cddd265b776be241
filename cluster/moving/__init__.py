"""Moving calendars between shards: one at a time, or all of them.

calendar_moves.py moves one calendar while the site serves, isolating.py gives one a
shard of its own; resharding.py writes a new generation of journals offline, and
resharding_after.py removes the old ones.
"""
