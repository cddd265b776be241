"""The journal as Redis streams, one per shard, fenced by functions in Lua.

Begin with journal.py. records.py is the format of an entry, tail.py reads and trims,
room.py watches memory and settings, generations.py removes inactive journals,
restore.py writes those of a backup.
"""
