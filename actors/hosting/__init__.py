"""What runs shards: the mailbox, its calls to stores, and the process around many.

Begin with mailbox.py (batches in front of one shard); process.py hosts several of
them; local.py does the same without Ray.
"""
